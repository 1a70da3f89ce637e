// Caddy with its standard modules, and the transport of the gateway.
package main

import (
	_ "time/tzdata"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "delos.dev/caddy/watched"
)

func main() {
	caddycmd.Main()
}
