// Caddy with its standard modules, and two of the gateway: its transport, and what hands HTTP/2 over.
package main

import (
	_ "time/tzdata"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "delos.dev/caddy/handover"
	_ "delos.dev/caddy/watched"
)

func main() {
	caddycmd.Main()
}
