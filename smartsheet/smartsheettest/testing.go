package smartsheettest

// TB is what New needs of a *testing.T; the package testing stays out of
// binaries that link this one.
type TB interface {
	Helper()
	Cleanup(func())
	Fatal(args ...any)
}

// New starts a server for a test and closes it at the test's end. It allows
// callbacks to the loopback interface and has LargeIDs; configure may change any
// field before the start.
func New(t TB, configure ...func(*Server)) *Server {
	t.Helper()
	s := &Server{AllowLoopbackHTTP: true, LargeIDs: true}
	for _, set := range configure {
		set(s)
	}
	if _, err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}
