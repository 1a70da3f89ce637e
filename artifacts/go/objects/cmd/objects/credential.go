package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A signed credential reaches one bucket, with some rights, until it ends. Its access key says all of that, and its secret
// is derived from it by a key that only this service and those who issue credentials hold. So nothing is kept of it:
//
//	access key: delos_RIGHTS_END_KEY_NONCE_BUCKET   e.g. delos_rw_1764500000_9f2c41d0_7b3a5e68_models
//	secret:     base64url(HMAC-SHA256(signing key, access key)), without padding
//
// RIGHTS is r, w or rw; END is in seconds since 1970; KEY is the beginning of the signing key's SHA-256, in 8 hex digits;
// NONCE is 8 hex digits. No bucket's name has an underscore.
//
// The control API has a key of its own, which signs for buckets of projects alone. With it RIGHTS may be m as well: to make
// the bucket, to set its policy, and to remove it. And with it there are accounts that do not end:
//
//	access key: delos_k_KEY_ID   e.g. delos_k_9f2c41d0_7b3a5e6812f0
//
// Such an account may do what the policies of buckets allow it by its name, and nothing else: who takes the name out of a
// policy has called it back.

// maxCredentialLife is the longest life of a signed credential, as of a presigned URL. What shall live longer is an
// account with a secret of its own.
const maxCredentialLife = 7 * 24 * time.Hour

var signedKey = regexp.MustCompile(
	`^delos_(r|w|rw|m)_([1-9][0-9]{0,10})_([0-9a-f]{8})_[0-9a-f]{8}_([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])$`)

// projectBucketForm is the name of a project's bucket. No service's has as many characters.
var projectBucketForm = regexp.MustCompile(`^bucket-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

var keptKey = regexp.MustCompile(`^delos_k_([0-9a-f]{8})_[0-9a-f]{12}$`)

// parseKept reads the access key of an account that does not end, and gives the name of the key that signed it.
func parseKept(accessKey string) (key string, ok bool) {
	found := keptKey.FindStringSubmatch(accessKey)
	if found == nil {
		return "", false
	}
	return found[1], true
}

type signedCredential struct {
	accessKey string
	key       string
	bucket    string
	read      bool
	write     bool
	manage    bool
	end       time.Time
}

// parseSigned reads an access key; ok is false for one of another kind.
func parseSigned(accessKey string) (credential signedCredential, ok bool) {
	found := signedKey.FindStringSubmatch(accessKey)
	if found == nil {
		return signedCredential{}, false
	}
	seconds, err := strconv.ParseInt(found[2], 10, 64)
	if err != nil {
		return signedCredential{}, false
	}
	return signedCredential{
		accessKey: accessKey,
		key:       found[3],
		bucket:    found[4],
		read:      strings.Contains(found[1], "r"),
		write:     strings.Contains(found[1], "w"),
		manage:    found[1] == "m",
		end:       time.Unix(seconds, 0),
	}, true
}

// live says whether the credential can be used now.
func (c signedCredential) live(now time.Time) bool {
	return now.Before(c.end) && c.end.Before(now.Add(maxCredentialLife+time.Minute))
}

// keyName is how an access key names the key that signed it.
func keyName(signingKey []byte) string {
	sum := sha256.Sum256(signingKey)
	return hex.EncodeToString(sum[:4])
}

func secretOf(signingKey []byte, accessKey string) string {
	return base64.RawURLEncoding.EncodeToString(hmacOf(signingKey, accessKey))
}

// issue makes a new credential.
func issue(signingKey []byte, bucket, rights string, life time.Duration, now time.Time) (accessKey, secret string, err error) {
	nonce := make([]byte, 4)
	if _, err := rand.Read(nonce); err != nil {
		return "", "", err
	}
	end := now.Add(life).Unix()
	accessKey = fmt.Sprintf("delos_%s_%d_%s_%s_%s", rights, end, keyName(signingKey), hex.EncodeToString(nonce), bucket)
	credential, ok := parseSigned(accessKey)
	if !ok || credential.manage {
		return "", "", fmt.Errorf("no credential for bucket %q with rights %q: expected the name of a bucket, and r, w or rw", bucket, rights)
	}
	if !credential.live(now) {
		return "", "", fmt.Errorf("no credential for %s: expected more than 0 and at most %s", life, maxCredentialLife)
	}
	return accessKey, secretOf(signingKey, accessKey), nil
}

func hmacOf(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
