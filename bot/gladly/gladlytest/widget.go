package gladlytest

import _ "embed"

//go:embed widget.js
var widget []byte

//go:embed stub.js
var stub []byte

// Widget is a stand-in for Gladly's loader, which pages get from https://cdn.gladly.com/chat-sdk/widget.js. It tells
// what happened in window.standin: {inits: [appId, …], loaded: true}.
func Widget() []byte { return widget }

// Stub is what such a page has inline, before it calls Gladly.init.
func Stub() []byte { return stub }
