package problem

// Action is a call of the admin API that leads out of a problem.
type Action struct {
	Method, Path string
	Add          map[string]any // members to add to the body of the request that was refused
}

// Next gives a problem the call that leads out of it.
func (p *Problem) Next(method, path string) *Problem {
	p.Action = &Action{Method: method, Path: path}
	return p
}

// Consent gives a problem the member of the body that consents to what was refused.
func (p *Problem) Consent(method, path, member string) *Problem {
	p.Action = &Action{Method: method, Path: path, Add: map[string]any{member: true}}
	return p
}
