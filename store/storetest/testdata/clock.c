// Loaded into a redis-server by LD_PRELOAD: its wall clock is the one that a test keeps in a file, as microseconds since
// 1970 in the machine's byte order. The monotonic clock, by which the server waits, is left alone.
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile int64_t *now;

static int64_t micros(void) {
	if (!now) {
		int fd = open(getenv("SWITCHBACK_TEST_CLOCK"), O_RDONLY);
		void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *now, PROT_READ, MAP_SHARED, fd, 0);
		if (p == MAP_FAILED) abort();
		now = p;
	}
	return *now;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone) {
	(void)zone;
	int64_t t = micros();
	tv->tv_sec = t / 1000000;
	tv->tv_usec = t % 1000000;
	return 0;
}

time_t time(time_t *at) {
	time_t t = micros() / 1000000;
	if (at) *at = t;
	return t;
}
