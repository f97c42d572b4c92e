//go:build !linux

package try

import "syscall"

// withParent is for systems that do not end a child with its parent.
func withParent() *syscall.SysProcAttr { return nil }
