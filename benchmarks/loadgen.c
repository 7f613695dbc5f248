// A load generator for hubs that publish and fan out: one thread, epoll, OpenSSL.
//
//   gcc -O2 -o loadgen loadgen.c -lssl -lcrypto
//
// Adapters (--proto): kernelnet, mqtt0, mqtt1 (QoS 0 and 1), nats, natsjs (JetStream).  Another one is another
// `struct adapter`.  One JSON object with the results is printed.  A message occupies its publisher's window until it
// is delivered to all subscribers and, with --ack, acknowledged.  --port takes several, with commas: connections are
// dealt out to them in turn.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <unistd.h>
#include <errno.h>
#include <time.h>
#include <fcntl.h>
#include <signal.h>
#include <getopt.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/err.h>

typedef struct conn conn;
struct adapter {
  const char *name;
  int pre_tls;            // 1: read one plaintext line before the TLS handshake (NATS INFO)
  int echo_self;          // 1: a publisher that also subscribes gets its own messages
  int pubs_receive;       // 1: every publisher connection also receives the other publishers' messages
  void (*hello)(conn *c); // queue bytes once TLS is up
  size_t (*encode)(conn *c, uint32_t g, char *out);    // wire bytes of message g
  size_t (*consume)(conn *c, const char *b, size_t n); // parse; returns bytes consumed
};
struct conn {
  int fd;
  SSL *ssl;
  int role; /*0 sub 1 pub*/
  int idx;
  int ready;
  int want_out;
  int epout;
  char *rx;
  size_t rxn, rxcap;
  char *tx;
  size_t txn, txo, txcap;
  uint32_t inflight;
  uint16_t pktid;
  uint32_t *pktmap;
  uint64_t got;
  int dead;
  char *body;
  int slow;
};

static const char *host = "127.0.0.1", *ca = NULL, *sni = "localhost", *mode = "closed", *token = "",
                  *proto = "kernelnet", *label = "", *target = NULL;
static int ports[16] = {6000}, nports = 0, S = 10, P = 1, size_ = 500, W = 256, plain = 0, tls12 = 0, mesh = 0, nofan = 0, pubbatch = 0,
           slow_subs = 0;
static double rate = 1000, tmo = 60, hold = 0, settle = 0.3;
static uint32_t M = 10000, M0 = 1000;
static int hubpids[16], nhub = 0;
static long storm_n = 0;
static int storm_c = 16, resume_ = 0;
static SSL_CTX *ctx;
static conn *C;
static int NC, ep;
static struct adapter *A;
static uint64_t *t_send;
static uint32_t *remain;
static uint16_t *owner;
static uint8_t *acked;
static uint32_t total_g = 0;
static uint32_t next_g = 0, done_g = 0, acks = 0;
static uint64_t deliv = 0, bytes_in = 0, dup_or_bad = 0, nread = 0;
static uint32_t expect = 0;
static int lastdead = 0;
static int wait_ack = 0, closed = 1;
static inline uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}
static uint64_t cur;
static void die(const char *m) {
  fprintf(stderr, "loadgen: %s (errno %s)\n", m, strerror(errno));
  ERR_print_errors_fp(stderr);
  printf("{\"label\":\"%s\",\"error\":\"%s\"}\n", label, m);
  exit(2);
}
// ---- histogram (log-linear, 64 sub-buckets per octave, ~1.5% error)
typedef struct {
  uint64_t b[64 * 64];
  uint64_t n;
  double sum;
  uint64_t max;
} hist;
static hist hd, ha;
static void hadd(hist *h, uint64_t v) {
  if (v < 64) {
    h->b[v]++;
  } else {
    int e = 63 - __builtin_clzll(v);
    h->b[(e - 5) * 64 + ((v >> (e - 6)) & 63)]++;
  }
  h->n++;
  h->sum += v;
  if (v > h->max)
    h->max = v;
}
static double hq(hist *h, double q) {
  if (!h->n)
    return 0;
  uint64_t k = (uint64_t)(q * h->n), c = 0;
  for (int i = 0; i < 64 * 64; i++) {
    c += h->b[i];
    if (c > k) {
      if (i < 64)
        return i;
      int e = i / 64 + 5;
      return (double)((1ull << e) + ((uint64_t)(i & 63) << (e - 6)));
    }
  }
  return h->max;
}
// ---- message template
static char *tpl;
static size_t id_off, snd_off, pat_off;
#define PFX "c0ffee00-0000-4000-8000-"
#define ID_AT 15 // of PFX in a line: it follows {"message_id":"
static const char HX[] = "0123456789abcdef";
static void mk_body(void) {
  tpl = malloc(size_ + 4096);
  int n = sprintf(tpl, "{\"message_id\":\"");
  id_off = n + 24;
  n += sprintf(tpl + n, PFX "000000000000\",\"sender_id\":\"p");
  snd_off = n;
  n += sprintf(tpl + n, "0000\",\"message_type\":\"pattern_share\",\"timestamp\":\"2026-11-22T15:00:00.123456Z\","
                        "\"payload\":{\"pattern\":{\"id\":\"p-");
  pat_off = n;
  n += sprintf(
      tpl + n,
      "00000000\",\"type\":\"loop\",\"confidence\":0.693147,\"data\":{\"period\":1042,\"share\":0.0312,\"metrics\":{"
      "\"hits\":0.9123,\"f1\":0.887,\"blocks\":524288},\"tags\":[\"scan\",\"shard-3\"],\"note\":\"");
  char tail[128];
  if (target)
    sprintf(tail, "\"}}},\"target_ai\":\"%s\"}", target);
  else
    sprintf(tail, "\"}}},\"target_ai\":null}");
  int t = strlen(tail);
  int pad = size_ - n - t;
  if (pad < 0)
    pad = 0;
  for (int i = 0; i < pad; i++)
    tpl[n + i] = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ.0123456789"[(i * 7 + i / 13) % 64];
  n += pad;
  memcpy(tpl + n, tail, t);
  n += t;
  tpl[n] = 0;
  size_ = n;
}
static inline void body(conn *c, uint32_t g, char *o) {
  memcpy(o, tpl, size_);
  for (int i = 0; i < 12; i++)
    o[id_off + 11 - i] = i < 8 ? HX[(g >> (4 * i)) & 15] : '0';
  for (int i = 0; i < 4; i++)
    o[snd_off + 3 - i] = HX[(c->idx >> (4 * i)) & 15];
  for (int i = 0; i < 8; i++)
    o[pat_off + 7 - i] = HX[(g >> (4 * i)) & 15];
}
static inline uint32_t id_at(const char *p) {
  uint32_t v = 0;
  for (int i = 4; i < 12; i++) {
    char ch = p[24 + i];
    v = v * 16 + (ch <= '9' ? ch - '0' : ch - 'a' + 10);
  }
  return v;
}
static inline const char *find_pfx(const char *b, size_t n) {
  const char *p = memmem(b, n, PFX, 24);
  return p && p + 36 <= b + n ? p : NULL;
}
static inline int find_id(const char *b, size_t n, uint32_t *g) {
  const char *p = find_pfx(b, n);
  if (!p)
    return 0;
  *g = id_at(p);
  return 1;
}
static void maybe_done(uint32_t g) {
  if (remain[g] == 0 && (!wait_ack || acked[g])) {
    C[owner[g]].inflight--;
    done_g++;
  }
}
static void on_delivery(conn *c, uint32_t g) {
  if (g >= next_g || remain[g] == 0) {
    dup_or_bad++;
    return;
  }
  c->got++;
  deliv++;
  remain[g]--;
  hadd(&hd, cur - t_send[g]);
  if (remain[g] == 0)
    maybe_done(g);
}
static void on_ack(uint32_t g) {
  if (g >= next_g || acked[g]) {
    dup_or_bad++;
    return;
  }
  acked[g] = 1;
  acks++;
  hadd(&ha, cur - t_send[g]);
  if (wait_ack)
    maybe_done(g);
}
// ---- tx
static void flush_tx(conn *c);
static void txq(conn *c, const void *b, size_t n) {
  if (c->txn + n > c->txcap) {
    c->txcap = (c->txn + n) * 2 + 4096;
    c->tx = realloc(c->tx, c->txcap);
  }
  memcpy(c->tx + c->txn, b, n);
  c->txn += n;
}
static int wr(conn *c, const char *b, size_t n) {
  if (plain) {
    ssize_t k = send(c->fd, b, n, MSG_NOSIGNAL);
    if (k < 0) {
      if (errno == EAGAIN)
        return 0;
      c->dead = 1;
      return -1;
    }
    return k;
  }
  int k = SSL_write(c->ssl, b, n);
  if (k > 0)
    return k;
  int e = SSL_get_error(c->ssl, k);
  if (e == SSL_ERROR_WANT_WRITE || e == SSL_ERROR_WANT_READ)
    return 0;
  c->dead = 1;
  return -1;
}
static void epmod(conn *c, int out) {
  if (out == c->epout)
    return;
  c->epout = out;
  struct epoll_event e = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}
static void flush_tx(conn *c) {
  while (c->txo < c->txn) {
    size_t n = c->txn - c->txo;
    if (n > 16384)
      n = 16384;
    int k = wr(c, c->tx + c->txo, n);
    if (k <= 0) {
      if (k == 0)
        epmod(c, 1);
      return;
    }
    c->txo += k;
  }
  c->txo = c->txn = 0;
  epmod(c, 0);
}
// ---- adapter: kernelnet
static void kn_hello(conn *c) {
  char b[2048];
  int n = snprintf(b, sizeof b,
                   "{\"ai_id\":\"%c%04x\",\"token\":\"%s%c%04x\"}\n{\"message_id\":\"hello\",\"sender_id\":\"%c%04x\","
                   "\"message_type\":\"hello\",\"timestamp\":\"2026-11-22T15:00:00Z\",\"payload\":{\"specialization\":"
                   "\"file_system\",\"protocol\":2},\"target_ai\":null}\n",
                   c->role ? 'p' : 's', c->idx, token, c->role ? 'p' : 's', c->idx, c->role ? 'p' : 's', c->idx);
  txq(c, b, n);
}
static size_t kn_encode(conn *c, uint32_t g, char *o) {
  body(c, g, o);
  o[size_] = '\n';
  return size_ + 1;
}
static void kn_control(conn *c, const char *b, size_t n) {
  const char *e = b + n;
  const char *p; // what the hub itself says
  if (memmem(b, n, "\"message_type\":\"ack\"", 20)) {
    while ((p = find_pfx(b, e - b))) {
      on_ack(id_at(p));
      b = p + 36;
    }
  } else if (memmem(b, n, "\"message_type\":\"error\"", 22)) {
    fprintf(stderr, "%.*s\n", (int)n, b);
    die("the hub says error");
  } else if (memmem(b, n, "\"log_id\":", 9))
    c->ready = 1;
}
static size_t kn_consume(conn *c, const char *b, size_t n) {
  size_t u = 0;
  for (;;) {
    const char *e = memchr(b + u, '\n', n - u);
    if (!e)
      return u;
    size_t l = e - (b + u);
    if (l > ID_AT + 36 && !memcmp(b + u + ID_AT, PFX, 24))
      on_delivery(c, id_at(b + u + ID_AT));
    else
      kn_control(c, b + u, l);
    u += l + 1;
  }
}
// ---- adapter: mqtt
static int qos = 0;
static void mqtt_str(char *o, int *n, const char *s) {
  int l = strlen(s);
  o[(*n)++] = l >> 8;
  o[(*n)++] = l;
  memcpy(o + *n, s, l);
  *n += l;
}
static void mqtt_hello(conn *c) {
  char b[256];
  int n = 0;
  char v[200];
  char id[32];
  sprintf(id, "%s-%d-%d", c->role ? "p" : "s", c->idx, getpid());
  int m = 0;
  mqtt_str(v, &m, "MQTT");
  v[m++] = 4;
  v[m++] = 2;
  v[m++] = 0;
  v[m++] = 0;
  mqtt_str(v, &m, id);
  b[n++] = 0x10;
  b[n++] = m;
  memcpy(b + n, v, m);
  n += m;
  txq(c, b, n);
  if (!c->role || mesh) {
    m = 0;
    v[m++] = 0;
    v[m++] = 1;
    mqtt_str(v, &m, "k/bench");
    v[m++] = qos;
    n = 0;
    b[n++] = (char)0x82;
    b[n++] = m;
    memcpy(b + n, v, m);
    n += m;
    txq(c, b, n);
  }
}
static size_t mqtt_encode(conn *c, uint32_t g, char *o) {
  int n = 0;
  int rl = 2 + 7 + (qos ? 2 : 0) + size_;
  o[n++] = 0x30 | (qos << 1);
  do {
    int d = rl % 128;
    rl /= 128;
    o[n++] = rl ? d | 128 : d;
  } while (rl);
  mqtt_str(o, &n, "k/bench");
  if (qos) {
    if (++c->pktid == 0)
      c->pktid = 1;
    c->pktmap[c->pktid] = g;
    o[n++] = c->pktid >> 8;
    o[n++] = c->pktid;
  }
  body(c, g, o + n);
  return n + size_;
}
static size_t mqtt_consume(conn *c, const char *b, size_t n) {
  size_t u = 0;
  while (n - u >= 2) {
    const uint8_t *p = (const uint8_t *)b + u;
    size_t rl = 0;
    int sh = 0;
    size_t i = 1;
    for (;;) {
      if (i >= n - u)
        return u;
      rl |= (size_t)(p[i] & 127) << sh;
      sh += 7;
      if (!(p[i++] & 128))
        break;
    }
    if (n - u < i + rl)
      return u;
    int t = p[0] >> 4;
    const uint8_t *v = p + i;
    if (t == 2) {
      if (v[1])
        die("mqtt connack refused");
      if (c->role && !mesh)
        c->ready = 1;
    } else if (t == 9)
      c->ready = 1;
    else if (t == 4) {
      on_ack(c->pktmap[v[0] << 8 | v[1]]);
    } else if (t == 3) {
      int tl = v[0] << 8 | v[1];
      int q = (p[0] >> 1) & 3;
      size_t off = 2 + tl + (q ? 2 : 0);
      uint32_t g;
      if (find_id((const char *)v + off, rl - off, &g))
        on_delivery(c, g);
      else
        dup_or_bad++;
      if (q) {
        char a[4] = {0x40, 2, v[2 + tl], v[3 + tl]};
        txq(c, a, 4);
      }
    }
    u += i + rl;
  }
  if (c->txn && c->ready)
    flush_tx(c);
  return u;
}
// ---- adapter: nats
static int js = 0;
static void nats_hello(conn *c) {
  char b[512];
  int n = sprintf(b,
                  "CONNECT "
                  "{\"verbose\":false,\"pedantic\":false,\"tls_required\":%s,\"name\":\"lg\",\"lang\":\"c\","
                  "\"version\":\"1\",\"protocol\":1,\"echo\":false}\r\n",
                  plain ? "false" : "true");
  if (!c->role || mesh)
    n += sprintf(b + n, "SUB k.bench 1\r\n");
  if (c->role && js)
    n += sprintf(b + n, "SUB _I.%d.* 2\r\n", c->idx);
  n += sprintf(b + n, "PING\r\n");
  txq(c, b, n);
}
static size_t nats_encode(conn *c, uint32_t g, char *o) {
  int n = js ? sprintf(o, "PUB k.bench _I.%d.%u %d\r\n", c->idx, g, size_) : sprintf(o, "PUB k.bench %d\r\n", size_);
  body(c, g, o + n);
  n += size_;
  o[n++] = '\r';
  o[n++] = '\n';
  return n;
}
static size_t nats_consume(conn *c, const char *b, size_t n) {
  size_t u = 0;
  for (;;) {
    const char *e = memchr(b + u, '\n', n - u);
    if (!e)
      return u;
    size_t l = e - (b + u) + 1;
    const char *q = b + u;
    if (!strncmp(q, "MSG ", 4)) {
      const char *r = e - 1;
      while (r[-1] != ' ')
        r--;
      size_t sz = strtoul(r, 0, 10);
      if (n - u < l + sz + 2)
        return u;
      const char *pl = e + 1;
      if (!strncmp(q + 4, "_I.", 3)) {
        if (memmem(pl, sz, "error", 5))
          die("js error");
        const char *d = strchr(q + 7, '.');
        on_ack(strtoul(d + 1, 0, 10));
      } else {
        uint32_t g;
        if (find_id(pl, sz, &g))
          on_delivery(c, g);
        else
          dup_or_bad++;
      }
      u += l + sz + 2;
      continue;
    } else if (!strncmp(q, "PONG", 4))
      c->ready = 1;
    else if (!strncmp(q, "PING", 4)) {
      txq(c, "PONG\r\n", 6);
      flush_tx(c);
    } else if (!strncmp(q, "-ERR", 4)) {
      fprintf(stderr, "%.*s", (int)l, q);
      die("nats -ERR");
    }
    u += l;
  }
}
static struct adapter ADS[] = {{"kernelnet", 0, 0, 1, kn_hello, kn_encode, kn_consume},
                               {"mqtt0", 0, 1, 0, mqtt_hello, mqtt_encode, mqtt_consume},
                               {"mqtt1", 0, 1, 0, mqtt_hello, mqtt_encode, mqtt_consume},
                               {"nats", 1, 0, 0, nats_hello, nats_encode, nats_consume},
                               {"natsjs", 1, 0, 0, nats_hello, nats_encode, nats_consume}};
// ---- connect
static int tcp(int port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, host, &a.sin_addr);
  int o = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &o, sizeof o);
  int t = 0;
  while (connect(fd, (void *)&a, sizeof a)) {
    if (++t > 50)
      die("connect");
    usleep(100000);
  }
  return fd;
}
static void open_conn(conn *c) {
  // Listeners and publishers are dealt out apart, so that each hub has as many of either.
  c->fd = tcp(ports[c->idx % nports]);
  struct timeval tv = {20, 0};
  setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  if (A->pre_tls) {
    char b[4096];
    ssize_t n;
    size_t k = 0;
    while (k < sizeof b - 1 && (n = recv(c->fd, b + k, 1, 0)) == 1) {
      if (b[k++] == '\n')
        break;
    }
  }
  if (!plain) {
    c->ssl = SSL_new(ctx);
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_tlsext_host_name(c->ssl, sni);
    if (SSL_connect(c->ssl) != 1)
      die("SSL_connect");
  }
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
  A->hello(c);
  flush_tx(c);
}
static char big[1 << 18];
static void do_read(conn *c) {
  for (;;) {
    int k;
    if (plain) {
      k = recv(c->fd, big, sizeof big, 0);
      if (k <= 0) {
        if (k < 0 && errno == EAGAIN)
          return;
        c->dead = 1;
      }
    } else {
      k = SSL_read(c->ssl, big, sizeof big);
      if (k <= 0) {
        int e = SSL_get_error(c->ssl, k);
        if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
          return;
        c->dead = 1;
      }
    }
    if (c->dead) {
      lastdead++;
      epoll_ctl(ep, EPOLL_CTL_DEL, c->fd, 0);
      return;
    }
    bytes_in += k;
    nread++;
    const char *b = big;
    size_t n = k;
    if (c->rxn) {
      if (c->rxn + k > c->rxcap) {
        c->rxcap = (c->rxn + k) * 2;
        c->rx = realloc(c->rx, c->rxcap);
      }
      memcpy(c->rx + c->rxn, big, k);
      c->rxn += k;
      b = c->rx;
      n = c->rxn;
    }
    cur = now();
    size_t u = A->consume(c, b, n);
    size_t left = n - u;
    if (left) {
      if (left > c->rxcap) {
        char *nb = malloc(left + 16384);
        memcpy(nb, b + u, left);
        free(c->rx);
        c->rx = nb;
        c->rxcap = left + 16384;
      } else
        memmove(c->rx, b + u, left);
    }
    c->rxn = left;
    if (plain) {
      if (k < (int)sizeof big)
        return;
    } else if (!SSL_has_pending(c->ssl))
      return;
  }
}
static int poll_once(int64_t ns) {
  struct epoll_event ev[512];
  struct timespec ts = {ns / 1000000000, ns % 1000000000};
  int n = epoll_pwait2(ep, ev, 512, &ts, NULL);
  for (int i = 0; i < n; i++) {
    conn *c = ev[i].data.ptr;
    if (c->slow) {
      usleep(10);
      continue;
    }
    if (ev[i].events & EPOLLOUT)
      flush_tx(c);
    if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
      do_read(c);
  }
  return n;
}
static char enc[1 << 17];
static void send_one(conn *c, uint64_t ts) {
  uint32_t g = next_g++;
  t_send[g] = ts;
  remain[g] = expect;
  owner[g] = c - C;
  c->inflight++;
  size_t n = A->encode(c, g, enc);
  if (pubbatch || c->txn) {
    txq(c, enc, n);
    if (!pubbatch)
      return;
    if (c->txn - c->txo >= (size_t)pubbatch)
      flush_tx(c);
    return;
  }
  int k = wr(c, enc, n);
  if (k < (int)n) {
    if (k < 0)
      return;
    txq(c, enc + k, n - k);
    epmod(c, 1);
  }
}
static void run_phase(uint32_t n, uint64_t deadline) {
  uint32_t end = next_g + n;
  uint64_t t0 = now();
  uint32_t base = next_g;
  int rr = 0;
  double iv = 1e9 / rate;
  while (done_g < end) {
    cur = now();
    if (cur > deadline)
      return;
    {
      int dp = 0;
      for (int i = 0; i < P; i++)
        dp += C[S + i].dead;
      if (dp == P)
        return;
    }
    int64_t to = 100000000;
    if (closed) {
      int again = 1;
      while (next_g < end && again) {
        again = 0;
        for (int i = 0; i < P && next_g < end; i++) {
          conn *c = &C[S + (rr + i) % P];
          if (!c->dead && (int)c->inflight < W && c->txn == 0) {
            send_one(c, now());
            again = 1;
          } else if (pubbatch && c->txn && (int)c->inflight < W && c->txn < 65536) {
            send_one(c, now());
            again = 1;
          }
        }
      }
      rr++;
      if (pubbatch)
        for (int i = 0; i < P; i++)
          if (C[S + i].txn)
            flush_tx(&C[S + i]);
    } else {
      while (next_g < end) {
        uint64_t due = t0 + (uint64_t)((next_g - base) * iv);
        if (due > cur) {
          to = due - cur;
          break;
        }
        conn *c = &C[S + (next_g % P)];
        send_one(c, due);
        cur = now();
      }
      if (pubbatch)
        for (int i = 0; i < P; i++)
          if (C[S + i].txn)
            flush_tx(&C[S + i]);
    }
    poll_once(to);
  }
}
static double pidcpu(int pid) {
  struct timespec t;
  clockid_t k = ((clockid_t)~pid << 3) | 2;
  if (clock_gettime(k, &t))
    return -1;
  return t.tv_sec + t.tv_nsec / 1e9;
}
static double hubcpu(void) {
  double s = 0;
  for (int i = 0; i < nhub; i++)
    s += pidcpu(hubpids[i]);
  return s;
}
static long rss(int pid, const char *k) {
  char f[64], l[256];
  sprintf(f, "/proc/%d/status", pid);
  FILE *h = fopen(f, "r");
  long r = -1;
  if (!h)
    return -1;
  while (fgets(l, 256, h))
    if (!strncmp(l, k, strlen(k)))
      r = atol(l + strlen(k) + 1);
  fclose(h);
  return r;
}
static double self(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}
// ---- handshake storm: storm_n handshakes, storm_c at a time, optional session resumption
static SSL_SESSION *sess;
static int new_sess(SSL *s, SSL_SESSION *x) {
  if (sess)
    SSL_SESSION_free(sess);
  sess = x;
  return 1;
}
static void storm(void) {
  struct sc {
    int fd;
    SSL *s;
    int st;
    uint64_t t0;
  } *v = calloc(storm_c, sizeof *v);
  long started = 0, fin = 0, resumed = 0, fail = 0;
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(ports[0])};
  inet_pton(AF_INET, host, &a.sin_addr);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(ctx, new_sess);
  if (resume_) {
    conn c = {0};
    c.fd = tcp(ports[0]);
    c.ssl = SSL_new(ctx);
    SSL_set_fd(c.ssl, c.fd);
    SSL_set_tlsext_host_name(c.ssl, sni);
    if (SSL_connect(c.ssl) != 1)
      die("SSL_connect");
    struct timeval tv = {0, 300000};
    setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    char b[16];
    SSL_read(c.ssl, b, 16);
    if (!sess)
      fprintf(stderr, "no ticket received\n");
  }
  double h0 = hubcpu(), s0 = self();
  uint64_t t0 = now(), dl = t0 + (uint64_t)(tmo * 1e9);
  ep = epoll_create1(0);
  SSL_SESSION *fixed = sess;
  if (fixed)
    SSL_SESSION_up_ref(fixed);
  while (fin < storm_n && now() < dl) {
    for (int i = 0; i < storm_c && started < storm_n; i++)
      if (!v[i].s) {
        struct sc *c = &v[i];
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        int o = 1;
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &o, sizeof o);
        connect(c->fd, (void *)&a, sizeof a);
        c->s = SSL_new(ctx);
        SSL_set_fd(c->s, c->fd);
        SSL_set_tlsext_host_name(c->s, sni);
        SSL_set_connect_state(c->s);
        if (resume_ && fixed) {
          SSL_SESSION *d = SSL_SESSION_dup(fixed);
          SSL_set_session(c->s, d);
          SSL_SESSION_free(d);
        }
        c->t0 = now();
        c->st = 0;
        struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
        epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
        started++;
      }
    struct epoll_event ev[256];
    int n = epoll_wait(ep, ev, 256, 100);
    for (int i = 0; i < n; i++) {
      struct sc *c = ev[i].data.ptr;
      if (!c->s)
        continue;
      // st 0: handshaking; st 1: wait for the server's tickets / any first bytes so that the server side has really
      // finished
      int r = SSL_do_handshake(c->s);
      if (r != 1) {
        int e = SSL_get_error(c->s, r);
        if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
          continue;
        fail++;
      } else {
        hadd(&hd, now() - c->t0);
        if (SSL_session_reused(c->s))
          resumed++;
      }
      SSL_free(c->s);
      close(c->fd);
      c->s = NULL;
      fin++;
    }
  }
  double el = (now() - t0) / 1e9;
  usleep(300000);
  double h1 = hubcpu();
  printf("{\"label\":\"%s\",\"mode\":\"storm\",\"handshakes\":%ld,\"resumed\":%ld,\"fail\":%ld,\"elapsed\":%.4f,\"per_"
         "s\":%.1f,\"hub_cpu\":%.4f,\"hub_ms_per_hs\":%.4f,\"lg_cpu\":%.4f,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n",
         label, fin, resumed, fail, el, fin / el, h1 - h0, (h1 - h0) * 1e3 / fin, self() - s0, hq(&hd, .5) / 1e6,
         hq(&hd, .99) / 1e6);
  exit(0);
}
int main(int ac, char **av) {
  static struct option O[] = {{"host", 1, 0, 'h'},
                              {"port", 1, 0, 'p'},
                              {"ca", 1, 0, 'c'},
                              {"sni", 1, 0, 'n'},
                              {"proto", 1, 0, 'P'},
                              {"subs", 1, 0, 's'},
                              {"pubs", 1, 0, 'b'},
                              {"msgs", 1, 0, 'm'},
                              {"warmup", 1, 0, 'w'},
                              {"size", 1, 0, 'z'},
                              {"mode", 1, 0, 'M'},
                              {"window", 1, 0, 'W'},
                              {"rate", 1, 0, 'r'},
                              {"ack", 0, 0, 'a'},
                              {"hub-pid", 1, 0, 'H'},
                              {"timeout", 1, 0, 't'},
                              {"label", 1, 0, 'l'},
                              {"token", 1, 0, 'e'},
                              {"plain", 0, 0, 'x'},
                              {"tls12", 0, 0, '2'},
                              {"mesh", 0, 0, 'E'},
                              {"no-fanout", 0, 0, 'F'},
                              {"pub-batch", 1, 0, 'B'},
                              {"hold", 1, 0, 'o'},
                              {"storm", 1, 0, 'S'},
                              {"storm-conc", 1, 0, 'C'},
                              {"resume", 0, 0, 'R'},
                              {"target", 1, 0, 'T'},
                              {"settle", 1, 0, 'q'},
                              {"slow-subs", 1, 0, 'k'},
                              {0}};
  int o;
  while ((o = getopt_long(ac, av, "", O, 0)) >= 0)
    switch (o) {
    case 'h':
      host = optarg;
      break;
    case 'p': {
      char *q = strtok(optarg, ",");
      while (q && nports < 16) {
        ports[nports++] = atoi(q);
        q = strtok(0, ",");
      }
    } break;
    case 'c':
      ca = optarg;
      break;
    case 'n':
      sni = optarg;
      break;
    case 'P':
      proto = optarg;
      break;
    case 's':
      S = atoi(optarg);
      break;
    case 'b':
      P = atoi(optarg);
      break;
    case 'm':
      M = atoi(optarg);
      break;
    case 'w':
      M0 = atoi(optarg);
      break;
    case 'z':
      size_ = atoi(optarg);
      break;
    case 'M':
      mode = optarg;
      break;
    case 'W':
      W = atoi(optarg);
      break;
    case 'r':
      rate = atof(optarg);
      break;
    case 'a':
      wait_ack = 1;
      break;
    case 'H': {
      char *q = strtok(optarg, ",");
      while (q) {
        hubpids[nhub++] = atoi(q);
        q = strtok(0, ",");
      }
    } break;
    case 't':
      tmo = atof(optarg);
      break;
    case 'l':
      label = optarg;
      break;
    case 'e':
      token = optarg;
      break;
    case 'x':
      plain = 1;
      break;
    case '2':
      tls12 = 1;
      break;
    case 'E':
      mesh = 1;
      break;
    case 'F':
      nofan = 1;
      break;
    case 'B':
      pubbatch = atoi(optarg);
      break;
    case 'o':
      hold = atof(optarg);
      break;
    case 'S':
      storm_n = atol(optarg);
      break;
    case 'C':
      storm_c = atoi(optarg);
      break;
    case 'R':
      resume_ = 1;
      break;
    case 'T':
      target = optarg;
      break;
    case 'q':
      settle = atof(optarg);
      break;
    case 'k':
      slow_subs = atoi(optarg);
      break;
    default:
      exit(2);
    }
  for (unsigned i = 0; i < sizeof ADS / sizeof *ADS; i++)
    if (!strcmp(ADS[i].name, proto))
      A = &ADS[i];
  if (!A)
    die("unknown --proto");
  qos = !strcmp(proto, "mqtt1");
  js = !strcmp(proto, "natsjs");
  closed = !strcmp(mode, "closed");
  nports = nports ? nports : 1;
  signal(SIGPIPE, SIG_IGN);
  ctx = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(ctx, tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
  if (tls12)
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
  if (ca) {
    if (SSL_CTX_load_verify_locations(ctx, ca, 0) != 1)
      die("ca");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, 0);
  }
  SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (storm_n)
    storm();
  if (S + P <= 2000) {
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_default_read_buffer_len(ctx, 65536);
  } else
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
  mk_body();
  NC = S + P;
  C = calloc(NC, sizeof(conn));
  total_g = M + M0 + 8;
  t_send = calloc(total_g, 8);
  remain = calloc(total_g, 4);
  owner = calloc(total_g, 2);
  acked = calloc(total_g, 1);
  ep = epoll_create1(0);
  expect = nofan ? 0 : A->pubs_receive ? S + P - 1 : S + (mesh ? (A->echo_self ? P : P - 1) : 0);
  if (target && !nofan)
    expect = 1;
  expect -= nofan ? 0 : slow_subs;
  if (expect == 0)
    wait_ack = 1;
  long r0 = nhub ? rss(hubpids[0], "VmRSS") : 0;
  double hc0 = hubcpu();
  uint64_t tc0 = now();
  for (int i = 0; i < NC; i++) {
    conn *c = &C[i];
    c->role = i >= S;
    c->idx = i >= S ? i - S : i;
    if (c->role && qos)
      c->pktmap = calloc(65536, 4);
    open_conn(c);
  }
  double conn_s = (now() - tc0) / 1e9;
  uint64_t dl = now() + 60000000000ull;
  for (;;) {
    int nr = 0;
    for (int i = 0; i < NC; i++)
      nr += C[i].ready;
    if (nr == NC)
      break;
    if (now() > dl)
      die("not all ready");
    poll_once(50000000);
  }
  double ready_s = (now() - tc0) / 1e9; // handshakes are made one after the other, all the rest overlaps
  uint64_t se = now() + (uint64_t)(settle * 1e9);
  while (now() < se)
    poll_once(20000000);
  double hc1 = hubcpu();
  if (lastdead)
    die("connections died before the run");
  if (hold > 0) {
    long r1 = nhub ? rss(hubpids[0], "VmRSS") : 0;
    se = now() + (uint64_t)(hold * 1e9);
    double h = hubcpu();
    while (now() < se)
      poll_once(20000000);
    long r2 = nhub ? rss(hubpids[0], "VmRSS") : 0;
    printf(
        "{\"label\":\"%s\",\"mode\":\"hold\",\"conns\":%d,\"rss0_kb\":%ld,\"rss1_kb\":%ld,\"rss2_kb\":%ld,\"kb_per_"
        "conn\":%.2f,\"connect_s\":%.3f,\"ready_s\":%.3f,\"hub_ms_per_conn\":%.4f,\"idle_hub_cpu\":%.4f,\"dead\":%d}\n",
        label, NC, r0, r1, r2, (double)(r2 - r0) / NC, conn_s, ready_s, (hc1 - hc0) * 1e3 / NC, hubcpu() - h, lastdead);
    return 0;
  }
  for (int i = 0; i < slow_subs; i++)
    C[i].slow = 1;
  dl = now() + (uint64_t)(tmo * 1e9);
  double srate = rate;
  if (M0)
    run_phase(M0, dl);
  uint32_t w_done = done_g;
  rate = srate;
  se = now() + 100000000;
  while (now() < se)
    poll_once(20000000);
  memset(&hd, 0, sizeof hd);
  memset(&ha, 0, sizeof ha);
  uint64_t d0 = deliv, b0 = bytes_in, n0 = nread;
  uint32_t a0 = acks;
  double h0 = hubcpu(), s0 = self();
  uint64_t t0 = now();
  dl = t0 + (uint64_t)(tmo * 1e9);
  run_phase(M, dl);
  double el = (now() - t0) / 1e9;
  // let the hub finish trailing work (acks, commits) before reading its clock
  se = now() + 30000000;
  while (now() < se)
    poll_once(5000000);
  double h1 = hubcpu(), s1 = self();
  uint64_t d = deliv - d0;
  uint32_t ak = acks - a0;
  uint64_t gmin = ~0ull, gmax = 0;
  for (int i = 0; i < S; i++) {
    if (C[i].slow)
      continue;
    if (C[i].got < gmin)
      gmin = C[i].got;
    if (C[i].got > gmax)
      gmax = C[i].got;
  }
  double unit = d ? d : (ak ? ak : 1);
  printf(
      "{\"label\":\"%s\",\"proto\":\"%s\",\"mode\":\"%s\",\"subs\":%d,\"pubs\":%d,\"msgs\":%u,\"size\":%d,\"window\":%"
      "d,\"rate\":%g,\"done\":%u,\"deliveries\":%lu,\"acks\":%u,\"elapsed\":%.4f,\"deliv_s\":%.0f,\"acks_s\":%.0f,"
      "\"hub_cpu\":%.4f,\"hub_cpu_s_per_M\":%.4f,\"deliv_per_hub_cpu_s\":%.0f,\"lg_cpu\":%.4f,\"bad\":%lu,\"dead\":%d,"
      "\"got_min\":%lu,\"got_max\":%lu,\"bytes_per_read\":%.0f,\"lat_p50_ms\":%.3f,\"lat_p99_ms\":%.3f,\"lat_max_ms\":%"
      ".3f,\"ack_p50_ms\":%.3f,\"ack_p99_ms\":%.3f,\"ack_max_ms\":%.3f,\"hub_rss_kb\":%ld,\"hub_hwm_kb\":%ld}\n",
      label, proto, mode, S, P, M, size_, W, closed ? 0.0 : rate, done_g - w_done, (unsigned long)d, ak, el, d / el,
      ak / el, h1 - h0, (h1 - h0) * 1e6 / unit, unit / (h1 - h0), s1 - s0, (unsigned long)dup_or_bad, lastdead,
      (unsigned long)(S ? gmin : 0), (unsigned long)gmax, nread - n0 ? (double)(bytes_in - b0) / (nread - n0) : 0.,
      hq(&hd, .5) / 1e6, hq(&hd, .99) / 1e6, hd.max / 1e6, hq(&ha, .5) / 1e6, hq(&ha, .99) / 1e6, ha.max / 1e6,
      nhub ? rss(hubpids[0], "VmRSS") : 0L, nhub ? rss(hubpids[0], "VmHWM") : 0L);
  return done_g < M + M0;
}
