/* Built by: gcc -O2 -shared -fPIC -nostdlib -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none \
     -Wl,-z,noseparate-code -Wl,--build-id=none -Wl,-soname,caliper-clock.so -s -o clock-x86_64.so clock.c
   and: strip -R .comment -R .note.gnu.property clock-x86_64.so

   Tells programs another date: preloaded, it answers in place of the C library. It needs no library itself, so that it works
   with each. Times that count from the start of the machine, and those of files, are as they are. */
struct timespec { long sec, nsec; };
struct timeval { long sec, usec; };

/* Seconds that are added; put in by who loads this. */
static volatile const long ahead = 0x1122334455667788;

static long system_clock(long clock, struct timespec *at)
{
    long answer;
    __asm__ volatile("syscall" : "=a"(answer) : "a"(228L), "D"(clock), "S"(at) : "rcx", "r11", "memory");
    return answer;
}

int clock_gettime(int clock, struct timespec *at)
{
    long answer = system_clock(clock, at);
    if (answer)
        return -1;
    /* CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI */
    if (clock == 0 || clock == 5 || clock == 11)
        at->sec += ahead;
    return 0;
}

int __clock_gettime64(int clock, struct timespec *at) { return clock_gettime(clock, at); }

int gettimeofday(struct timeval *at, void *zone)
{
    struct timespec now;
    clock_gettime(0, &now);
    if (at) {
        at->sec = now.sec;
        at->usec = now.nsec / 1000;
    }
    return 0;
}

long time(long *at)
{
    struct timespec now;
    clock_gettime(0, &now);
    if (at)
        *at = now.sec;
    return now.sec;
}

int timespec_get(struct timespec *at, int base)
{
    return clock_gettime(0, at) ? 0 : base;
}
