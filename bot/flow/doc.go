// Package flow decides what happens next.
//
// StepWalk leads one person through the playbook to a confirm; StepOutage looks after what was made of it until it is
// restored. Both are pure: what they need to know comes in the Event, and what is to be done goes out as Effects.
// Service takes events in, lets them decide, and saves each decision with all its effects in one commit, so that it can
// be stopped anywhere: work that was taken in stays in the store until its outcome is saved.
package flow
