package notice

import "testing"

func TestCheckOutside(t *testing.T) {
	for address, outside := range map[string]bool{
		"203.0.113.7:443": true, "[2001:db8::1]:443": true, "10.0.0.1:443": false, "192.168.1.1:443": false, "172.16.0.1:443": false,
		"127.0.0.1:443": false, "169.254.169.254:443": false, "100.64.0.1:443": false, "0.0.0.0:443": false, "224.0.0.1:443": false,
		"[::1]:443": false, "[fe80::1]:443": false, "[fd00::1]:443": false, "[::ffff:10.0.0.1]:443": false, "[::]:443": false,
		"[64:ff9b::a00:1]:443": false, "[64:ff9b:1::1]:443": false, "[2002:a00:1::1]:443": false,
	} {
		if err := checkOutside(address); (err == nil) != outside {
			t.Errorf("%s: got %v, want outside: %t", address, err, outside)
		}
	}
}
