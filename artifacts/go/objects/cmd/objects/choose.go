package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/s3api/utils"
)

// mark stands between an access key and the name of the secret that a request was signed with. No access key has it.
const mark = "~"

// choose finds out which of an account's secrets a request was signed with, while it has two, and says so in the request's access
// key: the server asks for a single one. The access key is no part of what a header's signature covers. In an address it is, so
// that addresses of these accounts are good by the current secret alone; the administrator signs none.
func (i *identity) choose(ctx fiber.Ctx) error {
	authorization := ctx.Get("Authorization")
	given, err := utils.ParseAuthorization(authorization)
	if err != nil {
		return ctx.Next()
	}
	of := i.secretOf(given.Access)
	if of == nil {
		return ctx.Next()
	}
	secrets := of.accepted()
	chosen := secrets[0]
	if len(secrets) > 1 {
		for _, secret := range secrets {
			if signedWith(ctx, given, secret) {
				chosen = secret
				break
			}
		}
	}
	plain, marked := "Credential="+given.Access+"/", "Credential="+given.Access+mark+keyName(chosen)+"/"
	ctx.Request().Header.Set("Authorization", strings.Replace(authorization, plain, marked, 1))
	return ctx.Next()
}

// signedWith says whether the request's header has the signature of this secret. Whether its date is right and its body is what was
// signed the server looks at itself.
func signedWith(ctx fiber.Ctx, given utils.AuthData, secret []byte) bool {
	date := ctx.Get("X-Amz-Date")
	if date == "" {
		date = ctx.Get("Date")
	}
	at, err := time.Parse("20060102T150405Z", date)
	if err != nil {
		return false
	}
	length, err := strconv.ParseInt(ctx.Get("Content-Length", "0"), 10, 64)
	if err != nil {
		return false
	}
	key := derive(string(secret), given.Date, given.Region, "s3")
	_, err = utils.CheckValidSignature(ctx, given, key, ctx.Get("X-Amz-Content-Sha256"), at, length)
	return err == nil
}
