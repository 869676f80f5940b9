package smartsheettest

// Classify gives a sheet a label of data classification, as an administrator does;
// an empty one takes it away. It moves no version of the sheet and calls nobody.
func (s *Server) Classify(sheetID int64, label string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh := s.sheets[sheetID]; sh != nil {
		sh.classification = label
	}
}
