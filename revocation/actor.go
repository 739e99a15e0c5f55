package revocation

import "github.com/clerkgate/clerkgate/policy"

// maxActors bounds the chain of actors (nested act claims). Clerk's tokens have one.
const maxActors = 16

// lookUpActors returns the reason of entries about the actors of a principal (claim act,
// RFC 8693 § 4.1, with the act claims nested in it): a revoked user, session or key can
// no longer impersonate. A chain longer than maxActors is denied.
func (x *Index) lookUpActors(p *policy.Principal, issued int64) policy.Reason {
	reason := policy.Reason("")
	sub, sid := p.Actor, ""
	claim, _ := p.Claims["act"].(map[string]any)
	for range maxActors {
		if claim != nil {
			if text, ok := claim["sub"].(string); ok {
				sub = text
			}
			sid, _ = claim["sid"].(string)
		}
		for _, s := range [...]subject{{User, sub, ""}, {Credential, sub, ""}, {Session, sid, ""}} {
			switch x.lookUpOne(s).reasonFor(issued) {
			case policy.ReasonSessionRevoked:
				return policy.ReasonSessionRevoked
			case policy.ReasonClaimsStale:
				reason = policy.ReasonClaimsStale
			}
		}
		if claim, _ = claim["act"].(map[string]any); claim == nil {
			return reason
		}
		sub = ""
	}
	return policy.ReasonSessionRevoked
}

// lookUpOne returns the state of one subject.
func (x *Index) lookUpOne(s subject) subjectState {
	if s.id == "" || !x.filter.Load().has(s.kind, hashOf(s.id), 0) {
		return subjectState{}
	}
	return x.stateOf(s)
}
