package registry

const (
	// CallbackPath is where callbacks arrive, followed by the registration's key.
	CallbackPath = "/callbacks/"
	// StatusPolling is the status of a registration without a webhook.
	StatusPolling = "POLLING"
)
