package store

import "github.com/redis/go-redis/v9"

// Resends makes the client send again by itself when a reply is lost, as it does where nobody says otherwise.
func (r *Redis) Resends() {
	options := *r.client.(*redis.Client).Options()
	_ = r.client.Close()
	options.MaxRetries = 3
	r.client = redis.NewClient(&options)
}
