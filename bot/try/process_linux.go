package try

import "syscall"

// withParent lets the system end the child when this process ends, however it ends.
func withParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
