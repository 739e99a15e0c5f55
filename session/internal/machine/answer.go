package machine

import (
	"errors"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/claim"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/machineid"
	"github.com/clerkgate/clerkgate/session/jwt"
)

// readAnswer reads Clerk's answer about a token that it knows. A token that the
// answer calls revoked or expired does not hold, though the status said OK.
// Anything that is not such an answer is an outage.
func readAnswer(body []byte) (*answer, error) {
	object, err := claim.DecodeObject(body, compat.Relaxations{})
	if err != nil {
		return nil, garbled(err)
	}
	for _, flag := range []string{"revoked", "expired"} {
		switch object[flag] {
		case nil, false:
		case true:
			return nil, jwt.NewError(policy.ReasonTokenInvalid, "Clerk says that the token is "+flag)
		default:
			return nil, garbled(errors.New("member " + flag + " is neither true nor false"))
		}
	}
	identity, err := readIdentity(object)
	if err != nil {
		return nil, garbled(err)
	}
	return &answer{identity, object["aud"]}, nil
}

func garbled(err error) error { return &jwt.Error{Reason: policy.ReasonClerkUnavailable, Err: err} }

// readIdentity reads who a token speaks for. Of its times only the
// expiration is read: the unit of the others is not certain enough to decide by.
func readIdentity(object map[string]any) (*machineid.Identity, error) {
	i := &machineid.Identity{
		ID:       claim.Text(object, "id"),
		Subject:  claim.Text(object, "subject"),
		ClientID: claim.Text(object, "client_id"),
		Actor:    claim.Actor(object["act"]),
		Scopes:   []string{},
	}
	if i.ID == "" || i.Subject == "" {
		return nil, errors.New("the answer names no token or no subject")
	}
	if scopes, present := object["scopes"]; present && scopes != nil {
		list, ok := scopes.([]any)
		if i.Scopes = claim.Texts(list); !ok || len(i.Scopes) != len(list) {
			return nil, errors.New("member scopes is not a list of texts")
		}
	}
	if claims, present := object["claims"]; present && claims != nil {
		var ok bool
		if i.Claims, ok = claims.(map[string]any); !ok {
			return nil, errors.New("member claims is not an object")
		}
	}
	if expiration, present := object["expiration"]; present && expiration != nil {
		number, ok := expiration.(float64)
		if !ok {
			return nil, errors.New("member expiration is not a time")
		}
		i.Expires = apiInstant(number)
	}
	return i, nil
}

// leastMillis is the least number that is a time in milliseconds: in seconds it
// is thousands of years off, and in milliseconds numbers below it are long past.
const leastMillis = 1e11

// apiInstant reads a time of the Backend API, which counts in milliseconds, and
// for OAuth access tokens in seconds.
func apiInstant(number float64) time.Time {
	if number >= leastMillis {
		number /= 1000
	}
	return time.UnixMilli(int64(max(0, min(number, claim.MaxInstant)) * 1000))
}
