package main

import (
	"strings"
	"time"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/s3err"
)

// adminAccess is the access key of the administrator, who makes buckets and may do everything in them. No bucket can have
// this name.
const adminAccess = "delos_admin"

// identity says who somebody is and what he may do: the IAM of the server. Beside the administrator there is one account for
// each bucket, its owner, which has the bucket's name. Who holds a signed credential acts as the owner, with fewer rights.
// An account that does not end (`delos_k_…`) owns nothing: policies name it.
//
// The server decides by the bucket's policy and by what is said here: an explicit Deny of the policy wins, and otherwise
// either's Allow is enough. The limits of a signed credential hold beside both.
type identity struct {
	admin *liveSecret
	// Bucket → secret of its owner's account.
	owners map[string]*liveSecret
	// Keys of signed credentials.
	signing *liveSecret
	// The same, of those that sign for buckets of projects alone; nil: there are no such buckets.
	projects *liveSecret
	now      func() time.Time
}

var (
	_ auth.IAMService         = (*identity)(nil)
	_ auth.SigningKeyProvider = (*identity)(nil)
	_ auth.PolicyEvaluator    = (*identity)(nil)
)

// DeriveSigningKey gives the key by which a request's signature is checked.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
func (i *identity) DeriveSigningKey(access, sessionToken, date, region, service string) ([]byte, auth.Account, error) {
	credential, ok := parseSigned(access)
	// Clients that renew a credential show a token beside it. What it would say, the access key says itself.
	if sessionToken != "" && (!ok || sessionToken != access) {
		return nil, auth.Account{}, auth.ErrInvalidSessionToken
	}
	if ok {
		key, known := i.keyOf(credential)
		if !known {
			return nil, auth.Account{}, auth.ErrNoSuchUser
		}
		if !credential.live(i.now()) {
			return nil, auth.Account{}, expiredToken()
		}
		account := auth.Account{Access: credential.bucket, Role: auth.RoleUser, SessionToken: access, IsSession: true}
		return derive(secretOf(key, access), date, region, service), account, nil
	}
	if name, ok := parseKept(access); ok {
		key := i.projects.named(name)
		if key == nil {
			return nil, auth.Account{}, auth.ErrNoSuchUser
		}
		return derive(secretOf(key, access), date, region, service), auth.Account{Access: access, Role: auth.RoleUser}, nil
	}
	access, name, marked := strings.Cut(access, mark)
	of := i.secretOf(access)
	if of == nil {
		return nil, auth.Account{}, auth.ErrNoSuchUser
	}
	secret := of.accepted()[0]
	if marked {
		if secret = of.named(name); secret == nil {
			return nil, auth.Account{}, auth.ErrNoSuchUser
		}
	}
	role := auth.RoleUser
	if access == adminAccess {
		role = auth.RoleAdmin
	}
	return derive(string(secret), date, region, service), auth.Account{Access: access, Role: role}, nil
}

// secretOf gives the secret of an account that has one of its own; nil where there is none.
func (i *identity) secretOf(access string) *liveSecret {
	if access == adminAccess {
		return i.admin
	}
	return i.owners[access]
}

// keyOf finds the key that signed a credential, where it may sign for that bucket, and for such rights.
func (i *identity) keyOf(credential signedCredential) ([]byte, bool) {
	if key := i.projects.named(credential.key); key != nil {
		return key, projectBucketForm.MatchString(credential.bucket)
	}
	key := i.signing.named(credential.key)
	return key, key != nil && !credential.manage
}

func derive(secret, date, region, service string) []byte {
	key := hmacOf([]byte("AWS4"+secret), date)
	for _, part := range []string{region, service, "aws4_request"} {
		key = hmacOf(key, part)
	}
	return key
}

func expiredToken() error {
	err := s3err.GetAPIError(s3err.ErrInvalidToken)
	err.Code = "ExpiredToken"
	err.Description = "The provided credential has expired."
	return err
}

// EvaluatePolicy says what the owner of a bucket may do, and what of that the credential of this request may.
func (i *identity) EvaluatePolicy(access, sessionToken string, actions []auth.Action, resources []string, _ map[string][]string) (auth.PolicyEvaluation, error) {
	evaluation := auth.PolicyEvaluation{PrincipalArn: access}
	credential, signed := parseSigned(sessionToken)
	decide(&evaluation.Decisions, actions, resources, func(action auth.Action, bucket string) int {
		switch {
		case bucket == access && signed && credential.manage:
			return allow
		case action == auth.DeleteBucketAction:
			// Buckets of services come and go by the administrator alone.
			return deny
		case bucket == access && action != auth.CreateBucketAction && action != auth.ListAllMyBucketsAction:
			return allow
		}
		return noMatch
	})
	if sessionToken == "" {
		return evaluation, nil
	}
	evaluation.HasSessionPolicy = true
	decide(&evaluation.SessionDecisions, actions, resources, func(action auth.Action, bucket string) int {
		if signed && bucket == credential.bucket && credential.may(action) {
			return allow
		}
		return noMatch
	})
	return evaluation, nil
}

// Decisions of the server, whose names it does not export.
const (
	noMatch = iota
	allow
	deny
)

// decide fills a matrix of decisions, whose type the server does not export either.
func decide[D ~int](matrix *[][]D, actions []auth.Action, resources []string, decision func(auth.Action, string) int) {
	rows := make([][]D, len(resources))
	for r, resource := range resources {
		bucket, _, _ := strings.Cut(strings.TrimPrefix(resource, auth.ResourceArnPrefix), "/")
		rows[r] = make([]D, len(actions))
		for a, action := range actions {
			rows[r][a] = D(decision(action, bucket))
		}
	}
	*matrix = rows
}

// may says whether this right is one of the credential's.
func (c signedCredential) may(action auth.Action) bool {
	switch action {
	case auth.CreateBucketAction, auth.DeleteBucketAction:
		return c.manage
	case auth.GetBucketPolicyAction, auth.PutBucketPolicyAction, auth.DeleteBucketPolicyAction:
		return c.manage
	case auth.GetObjectAction, auth.GetObjectAttributesAction, auth.GetObjectTaggingAction, auth.GetObjectVersionAction:
		return c.read
	case auth.ListBucketAction, auth.GetBucketLocationAction, auth.GetBucketVersioningAction:
		return c.read
	case auth.PutObjectAction, auth.DeleteObjectAction, auth.PutObjectTaggingAction, auth.DeleteObjectTaggingAction:
		return c.write
	case auth.AbortMultipartUploadAction, auth.ListMultipartUploadPartsAction, auth.ListBucketMultipartUploadsAction:
		return c.write
	}
	return false
}

// GetUserAccount is asked where a policy or a grant names an account.
func (i *identity) GetUserAccount(access string) (auth.Account, error) {
	if name, ok := parseKept(access); ok {
		if i.projects.named(name) != nil {
			return auth.Account{Access: access, Role: auth.RoleUser}, nil
		}
	}
	if _, known := i.owners[access]; !known {
		return auth.Account{}, auth.ErrNoSuchUser
	}
	return auth.Account{Access: access, Role: auth.RoleUser}, nil
}

// ResolveAccounts gives those of the accounts that there are not.
func (i *identity) ResolveAccounts(accounts []string) ([]string, error) {
	missing := []string{}
	for _, access := range accounts {
		if _, err := i.GetUserAccount(access); err != nil {
			missing = append(missing, access)
		}
	}
	return missing, nil
}

func (i *identity) CreateAccount(auth.Account) error                  { return notOffered() }
func (i *identity) UpdateUserAccount(string, auth.MutableProps) error { return notOffered() }
func (i *identity) DeleteUserAccount(string) error                    { return notOffered() }
func (i *identity) ListUserAccounts() ([]auth.Account, error)         { return nil, notOffered() }
func (i *identity) Shutdown() error                                   { return nil }
func notOffered() error                                               { return s3err.GetAPIError(s3err.ErrNotImplemented) }
