package revocation

import "github.com/clerkgate/clerkgate/policy"

// maxActors bounds who may act through whom. Clerk's tokens name one.
const maxActors = 16

// lookUpActors returns what entries say of those who act as a principal (claim act,
// and within it those who act through them): what ends a user, a session or a key
// ends what is done by it. Who acts through more than can be looked up is refused.
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
			switch x.lookUpOne(s).judge(issued) {
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

// lookUpOne returns what is known of one subject.
func (x *Index) lookUpOne(s subject) mark {
	if s.id == "" || !x.filter.Load().has(s.kind, sum(s.id), 0) {
		return mark{}
	}
	return x.mark(s)
}
