package policy

import (
	"math"
	"time"
)

// freshness is a compiled Freshness. The zero value requires nothing.
type freshness struct {
	maxTokenAge   time.Duration
	maxSessionAge time.Duration
	createdClaim  []string
	verification  *verification
}

func compileFreshness(path string, f *Freshness, sessions bool) (freshness, []error) {
	if f == nil {
		return freshness{}, nil
	}
	var errs []error
	fresh := freshness{maxTokenAge: f.MaxTokenAge.Std(), maxSessionAge: f.MaxSessionAge.Std()}
	if f.SessionCreatedClaim != "" {
		var err error
		if fresh.createdClaim, err = claimSteps(f.SessionCreatedClaim); err != nil {
			errs = append(errs, atPath(path+".session_created_claim", err))
		}
		if fresh.maxSessionAge == 0 {
			errs = append(errs, &ConfigError{Path: path + ".session_created_claim", Msg: "a claim for the age of the session needs max_session_age"})
		}
	}
	if fresh.maxSessionAge > 0 && fresh.createdClaim == nil && !sessions {
		errs = append(errs, &ConfigError{Path: path + ".max_session_age", Msg: "session tokens do not contain the start of the session", Suggestion: "set session_created_claim, or clerk.secret_key so that Clerk can be asked"})
	}
	if f.Reverification != nil {
		v, err := compileReverification(*f.Reverification)
		if err != nil {
			errs = append(errs, atPath(path+".reverification", err))
		}
		fresh.verification = &v
	}
	if *f == (Freshness{}) {
		errs = append(errs, &ConfigError{Path: path, Msg: "freshness is empty", Suggestion: "write max_token_age, max_session_age or reverification"})
	}
	return fresh, errs
}

// stale returns why the principal is not fresh enough, or "". What is not known
// is stale; what cannot be found out is an outage.
func (f *freshness) stale(s *subject, sessions Sessions) (Reason, error) {
	p := s.principal
	if f.maxTokenAge > 0 && (p.IssuedAt.IsZero() || s.now.Sub(p.IssuedAt) > f.maxTokenAge) {
		return ReasonTokenTooOld, nil
	}
	if f.maxSessionAge > 0 {
		created, err := f.sessionCreated(s, sessions)
		if err != nil {
			return ReasonClerkUnavailable, err
		}
		if age := s.now.Sub(created); created.IsZero() || age > f.maxSessionAge || age < -clockTolerance {
			return ReasonSessionTooOld, nil
		}
	}
	if f.verification != nil && !f.verification.fresh(p.Factors, elapsedMinutes(p, s.now)) {
		return ReasonReverification, nil
	}
	return "", nil
}

// clockTolerance is how far ahead of our clock a session may have begun: a time
// further ahead is no time at which it can have.
const clockTolerance = time.Minute

// sessionCreated returns when the session began; zero where that is not known.
func (f *freshness) sessionCreated(s *subject, sessions Sessions) (time.Time, error) {
	if f.createdClaim != nil {
		value, _ := claimAt(s.principal.Claims, f.createdClaim)
		seconds, ok := asFloat(value).(float64)
		if !ok || !(seconds > 0 && seconds < maxUnix) {
			return time.Time{}, nil
		}
		whole, fraction := math.Modf(seconds)
		return time.Unix(int64(whole), int64(fraction*1e9)), nil
	}
	if s.principal.SessionID == "" {
		return time.Time{}, nil
	}
	return sessions.CreatedAt(s.ctx, s.principal.SessionID)
}

// maxUnix is the end of the year 9999.
const maxUnix = 253402300800
