/*
 * link CONTROL OPPORTUNITIES BASE QUEUE
 *
 * One TCP connection over the bench's link, in real time and with the kernel's own TCP at both ends; what the link saw goes to
 * standard output, a line for each second.
 *
 * The link is in user space between two TUN devices, each in a network namespace that has nothing else: the process makes both,
 * and its sockets hold them, so that nothing is left when it ends, whatever ends it.  As in the bench, packets wait in a
 * queue of QUEUE packets for the delivery opportunities of each millisecond (16 bits each in the file), and all of the base round
 * trip (BASE milliseconds) is on the way back.  A packet that comes before a millisecond begins is there for its opportunities.
 *
 * The link has a thread of its own with real-time priority where that is permitted.  How late it came to each millisecond it
 * counts: by that a run on a machine that had other things to do is known.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MTU 1500
#define ROOM (1u << 16) /* packets of either way; more than a queue can have (16384) */
#define PORT 5001
#define MOST_LATE 1000  /* lateness in tenths of a millisecond up to which it is told apart */
#define LINK_PRIORITY 40
#define ENDS_PRIORITY 30

typedef struct {
    uint64_t at; /* of data: the millisecond from which on it may be taken; of what comes back: when it arrives, in ns */
    int size;
    unsigned char bytes[MTU];
} packet;

static packet *there, *back;
static unsigned thereFirst, thereEnd, backFirst, backEnd;
static uint16_t *opportunities;
static long milliseconds, base, limit;
static int tunA, tunB, sender, receiver;
static uint64_t began;
static uint32_t late[MOST_LATE + 1];
static volatile int isOver;
static int isRealTime = 1;

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(3);
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void hurry(int priority) {
    struct sched_param wanted = {.sched_priority = priority};
    if (sched_setscheduler(0, SCHED_FIFO, &wanted)) isRealTime = 0;
}

/* A fresh namespace with one device, which this process is in from now on. */
static int device(const char *name, const char *address) {
    struct ifreq request;
    struct sockaddr_in *to = (struct sockaddr_in *)&request.ifr_addr;
    if (unshare(CLONE_NEWNET)) fail("can't make a network namespace");
    int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tun < 0) fail("can't open /dev/net/tun");
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, name);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (ioctl(tun, TUNSETIFF, &request)) fail("can't make a TUN device");
    int any = socket(AF_INET, SOCK_DGRAM, 0);
    to->sin_family = AF_INET;
    inet_pton(AF_INET, address, &to->sin_addr);
    if (ioctl(any, SIOCSIFADDR, &request)) fail("can't give an address");
    inet_pton(AF_INET, "255.255.255.0", &to->sin_addr);
    if (ioctl(any, SIOCSIFNETMASK, &request)) fail("can't give a netmask");
    request.ifr_mtu = MTU;
    if (ioctl(any, SIOCSIFMTU, &request)) fail("can't set the MTU");
    request.ifr_qlen = 10000;
    if (ioctl(any, SIOCSIFTXQLEN, &request)) fail("can't set the length of the device's queue");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(any, SIOCSIFFLAGS, &request)) fail("can't switch the device on");
    close(any);
    return tun;
}

/* --- the ends --------------------------------------------------------------------------------------------------------- */

static void *receive(void *unused) {
    static char into[1 << 20];
    hurry(ENDS_PRIORITY);
    int connection = accept(receiver, 0, 0);
    while (connection >= 0 && recv(connection, into, sizeof into, 0) > 0) {}
    return 0;
}

static void *send_(void *unused) {
    static char zeros[1 << 16];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    hurry(ENDS_PRIORITY);
    inet_pton(AF_INET, "10.9.0.2", &to.sin_addr);
    if (connect(sender, (struct sockaddr *)&to, sizeof to)) fail("can't connect over the link");
    while (!isOver && send(sender, zeros, sizeof zeros, MSG_NOSIGNAL) > 0) {}
    return 0;
}

/* --- the link --------------------------------------------------------------------------------------------------------- */

static int isIpv4(const packet *p) { return p->size > 20 && p->bytes[0] >> 4 == 4; }

/* Takes what came from either end; of the millisecond that begins next. */
static void take(uint64_t next, uint64_t *dropped) {
    for (;;) {
        packet *p = &there[thereEnd % ROOM];
        if ((p->size = (int)read(tunA, p->bytes, MTU)) <= 0) break;
        if (!isIpv4(p)) continue;
        if (thereEnd - thereFirst >= (unsigned)limit) {
            ++*dropped;
            continue;
        }
        p->at = next;
        thereEnd++;
    }
    while (backEnd - backFirst < ROOM) {
        packet *p = &back[backEnd % ROOM];
        if ((p->size = (int)read(tunB, p->bytes, MTU)) <= 0) break;
        if (!isIpv4(p)) continue;
        p->at = now_ns() + (uint64_t)base * 1000000u;
        backEnd++;
    }
}

static void deliver(int to, const packet *p) {
    if (write(to, p->bytes, (size_t)p->size) < 0 && errno != EAGAIN && errno != EIO) fail("can't write to the device");
}

static void *carry(void *unused) {
    struct pollfd ends[2] = {{.fd = tunA, .events = POLLIN}, {.fd = tunB, .events = POLLIN}};
    uint64_t offered = 0, taken = 0, delay = 0, dropped = 0;
    hurry(LINK_PRIORITY);
    for (long ms = 0; ms < milliseconds; ms++) {
        uint64_t next = began + (uint64_t)ms * 1000000u, now;
        for (;;) {
            take((uint64_t)ms, &dropped);
            now = now_ns();
            while (backFirst != backEnd && back[backFirst % ROOM].at <= now) deliver(tunA, &back[backFirst++ % ROOM]);
            if (now >= next) break;
            uint64_t until = next;
            if (backFirst != backEnd && back[backFirst % ROOM].at < until) until = back[backFirst % ROOM].at;
            struct timespec wait = {0, (long)(until - now)};
            ppoll(ends, 2, &wait, 0);
        }
        uint64_t tenths = (now - next) / 100000u;
        late[tenths < MOST_LATE ? tenths : MOST_LATE]++;
        unsigned left = opportunities[ms];
        offered += left;
        for (; left && thereFirst != thereEnd; left--) {
            packet *p = &there[thereFirst++ % ROOM];
            taken++;
            delay += (uint64_t)ms - p->at + (uint64_t)base;
            deliver(tunB, p);
        }
        if (ms % 1000 == 999) {
            printf("second %llu %llu %llu %llu\n", (unsigned long long)offered, (unsigned long long)taken,
                   (unsigned long long)delay, (unsigned long long)dropped);
            fflush(stdout);
            offered = taken = delay = dropped = 0;
        }
    }
    return 0;
}

int main(int count, char **given) {
    pthread_t threads[3];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = INADDR_ANY};
    struct linger none = {1, 0}; /* no socket stays behind and holds the congestion control */
    struct tcp_info seen;
    socklen_t size = sizeof seen;
    int one = 1;
    if (count != 5) return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    FILE *file = fopen(given[2], "rb");
    if (!file || fseek(file, 0, SEEK_END)) fail("can't read the link");
    milliseconds = ftell(file) / 2;
    rewind(file);
    opportunities = malloc((size_t)milliseconds * 2 + 2);
    if (fread(opportunities, 2, (size_t)milliseconds, file) != (size_t)milliseconds) fail("can't read the link");
    fclose(file);
    base = atol(given[3]);
    limit = atol(given[4]);
    there = malloc(sizeof(packet) * ROOM);
    back = malloc(sizeof(packet) * ROOM);

    tunA = device("kna", "10.9.0.1");
    sender = socket(AF_INET, SOCK_STREAM, 0);
    if (setsockopt(sender, IPPROTO_TCP, TCP_CONGESTION, given[1], (socklen_t)strlen(given[1])))
        fail("the kernel takes no such congestion control");
    setsockopt(sender, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    tunB = device("knb", "10.9.0.2");
    receiver = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(receiver, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(receiver, (struct sockaddr *)&at, sizeof at) || listen(receiver, 1)) fail("can't listen");
    mlockall(MCL_CURRENT | MCL_FUTURE);

    began = now_ns() + 1000000u;
    pthread_create(&threads[0], 0, carry, 0);
    pthread_create(&threads[1], 0, receive, 0);
    pthread_create(&threads[2], 0, send_, 0);
    pthread_join(threads[0], 0);
    isOver = 1;
    if (!getsockopt(sender, IPPROTO_TCP, TCP_INFO, &seen, &size)) printf("retransmitted %u\n", seen.tcpi_total_retrans);
    printf("late");
    for (unsigned i = 0; i <= MOST_LATE; i++) if (late[i]) printf(" %u:%u", i, late[i]);
    printf("\nrealtime %d\n", isRealTime);
    fflush(stdout);
    close(sender);
    _exit(0);
}
