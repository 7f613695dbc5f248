/*
 * Runs SQL on a database by the SQLite that a program gets, and counts: for `kernelnet deploy measure`.
 *
 *     runner run DATABASE SQL PAGES COLD     PAGES of its cache, 0: as SQLite has it; COLD, 1: nothing of it is in the system's cache
 *     runner check DATABASE                  what is in it
 *
 * Prints a JSON object.  Other databases are out of reach: what it is given is a copy, and nothing else shall be changed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* From sqlite3.h, whose binary interface is kept. */
typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;
enum { OK = 0, DENY = 1, AUTH = 23, ROW = 100, DONE = 101, READWRITE = 2, ATTACH = 24 };
enum { CACHE_HIT = 7, CACHE_MISS = 8, CACHE_WRITE = 9, CACHE_SPILL = 12 };

#define FUNCTIONS(each) \
    each(int, open_v2, (const char *, sqlite3 **, int, const char *)) \
    each(int, close, (sqlite3 *)) \
    each(const char *, errmsg, (sqlite3 *)) \
    each(const char *, libversion, (void)) \
    each(int, prepare_v2, (sqlite3 *, const char *, int, sqlite3_stmt **, const char **)) \
    each(int, step, (sqlite3_stmt *)) \
    each(int, finalize, (sqlite3_stmt *)) \
    each(int, column_count, (sqlite3_stmt *)) \
    each(int, column_type, (sqlite3_stmt *, int)) \
    each(int64_t, column_int64, (sqlite3_stmt *, int)) \
    each(const void *, column_blob, (sqlite3_stmt *, int)) \
    each(int, column_bytes, (sqlite3_stmt *, int)) \
    each(int, db_status, (sqlite3 *, int, int *, int *, int)) \
    each(int, set_authorizer, (sqlite3 *, int (*)(void *, int, const char *, const char *, const char *, const char *), void *))
#define DECLARE(type, name, arguments) static type (*db_##name) arguments;
FUNCTIONS(DECLARE)

__attribute__((noreturn)) static void fail(const char *about, const char *why) {
    fprintf(stderr, "%s%s%s\n", about, *about ? ": " : "", why);
    exit(1);
}

static void load(void) {
    void *library = dlopen("libsqlite3.so.0", RTLD_NOW);
    if (!library) fail("", "there is no libsqlite3.so.0");
#define FIND(type, name, arguments) \
    *(void **)&db_##name = dlsym(library, "sqlite3_" #name); \
    if (!db_##name) fail("SQLite has no function", #name);
    FUNCTIONS(FIND)
}

/* Only a database of no name, or in memory, may come in: VACUUM makes one. */
static int authorize(void *unused, int what, const char *name, const char *b, const char *c, const char *d) {
    (void)unused, (void)b, (void)c, (void)d;
    return what != ATTACH || (name && (!*name || !strcmp(name, ":memory:"))) ? OK : DENY;
}

#define ELSEWHERE "it reaches for another database (ATTACH, VACUUM INTO): the SQL should be of this one alone"

static uint64_t hash = 0xcbf29ce484222325ull; /* FNV-1a */
static uint64_t rows;

static void add(const void *data, size_t size) {
    const unsigned char *at = data;
    for (size_t i = 0; i < size; i++) hash = (hash ^ at[i]) * 0x100000001b3ull;
}

static void add_row(sqlite3_stmt *statement) {
    int count = db_column_count(statement);
    rows++;
    for (int i = 0; i < count; i++) {
        unsigned char type = (unsigned char)db_column_type(statement, i);
        add(&type, 1);
        if (type == 1) {
            int64_t value = db_column_int64(statement, i);
            add(&value, sizeof value);
        } else if (type != 5) { /* not NULL; a double's text has all that SQLite shows of it */
            const void *data = db_column_blob(statement, i);
            int size = db_column_bytes(statement, i);
            add(&size, sizeof size);
            if (size) add(data, (size_t)size);
        }
    }
}

/* The number of statements. */
static unsigned long long run(sqlite3 *db, const char *sql) {
    unsigned long long number = 0;
    char about[60];
    while (*sql) {
        sqlite3_stmt *statement;
        int code = db_prepare_v2(db, sql, -1, &statement, &sql);
        number++;
        snprintf(about, sizeof about, "statement %llu", number);
        if (code == AUTH) fail(about, ELSEWHERE);
        if (code) fail(about, db_errmsg(db));
        if (!statement) { /* white space, or a comment */
            number--;
            continue;
        }
        while ((code = db_step(statement)) == ROW) add_row(statement);
        if (code == AUTH || (code != DONE && strstr(db_errmsg(db), "authoriz"))) code = AUTH;
        if (code != DONE) fail(about, code == AUTH ? ELSEWHERE : db_errmsg(db));
        db_finalize(statement);
    }
    return number;
}

static char *whole(const char *name) {
    FILE *file = fopen(name, "rb");
    long size;
    char *text;
    if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0) fail(name, "can't be read");
    text = malloc((size_t)size + 1);
    rewind(file);
    if (!text || fread(text, 1, (size_t)size, file) != (size_t)size) fail(name, "can't be read");
    text[size] = 0;
    if (strlen(text) != (size_t)size) fail("statement 1", "there is a zero byte in the SQL");
    fclose(file);
    return text;
}

static sqlite3 *opened(const char *name) {
    sqlite3 *db;
    load();
    if (db_open_v2(name, &db, READWRITE, 0)) fail("", db ? db_errmsg(db) : "there is no memory");
    db_set_authorizer(db, authorize, 0);
    return db;
}

/* What the process has read: system calls, and bytes that really came from a disk; -1: this system doesn't say. */
static void reads(long long *calls, long long *bytes) {
    FILE *file = fopen("/proc/self/io", "r");
    char line[100];
    *calls = *bytes = -1;
    if (!file) return;
    while (fgets(line, sizeof line, file)) {
        sscanf(line, "syscr: %lld", calls);
        sscanf(line, "read_bytes: %lld", bytes);
    }
    fclose(file);
}

static double cpu(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static double clock_(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int counted(sqlite3 *db, int what) {
    int now = 0, most = 0;
    if (db_db_status(db, what, &now, &most, 0)) fail("", db_errmsg(db));
    return now;
}

static void measure(const char *name, const char *script, const char *pages, int cold) {
    char *sql = whole(script), text[200];
    long long calls, calls_, bytes, bytes_;
    unsigned long long statements;
    double used, began;
    sqlite3 *db;
    if (cold) {
        int file = open(name, O_RDWR);
        if (file < 0 || fsync(file) || posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)) fail(name, "can't be emptied of the system's cache");
        close(file);
    }
    db = opened(name);
    /* Tables for a moment are no part of the database, and have caches of their own; a copy need not survive a power cut. */
    run(db, "PRAGMA temp_store = MEMORY; PRAGMA synchronous = OFF");
    if (strcmp(pages, "0")) {
        snprintf(text, sizeof text, "PRAGMA cache_size = %s", pages);
        run(db, text);
    }
    rows = 0;
    hash = 0xcbf29ce484222325ull;
    reads(&calls, &bytes);
    used = cpu();
    began = clock_();
    statements = run(db, sql);
    began = clock_() - began;
    used = cpu() - used;
    reads(&calls_, &bytes_);
    printf(
        "{\"sqlite\": \"%s\", \"statements\": %llu, \"rows\": %llu, \"result\": \"%016llx\", \"hits\": %d, \"misses\": %d, "
        "\"spills\": %d, \"writes\": %d, \"reads\": %lld, \"disk_bytes\": %lld, \"cpu_seconds\": %.6f, \"seconds\": %.6f}\n",
        db_libversion(), statements, (unsigned long long)rows, (unsigned long long)hash, counted(db, CACHE_HIT),
        counted(db, CACHE_MISS), counted(db, CACHE_SPILL), counted(db, CACHE_WRITE),
        calls < 0 ? -1 : calls_ - calls - 1, /* one is that which read it */
        bytes < 0 ? -1 : bytes_ - bytes, used, began
    );
    db_close(db);
}

/* Of the list of tables there is but this one statement: names are put into SQL as they are quoted there. */
static const char *const TABLES =
    "SELECT 'SELECT * FROM \"' || replace(name, '\"', '\"\"') || '\" NOT INDEXED;' FROM sqlite_master "
    "WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name";

static void check(const char *name) {
    sqlite3 *db = opened(name);
    sqlite3_stmt *tables, *state;
    int isFine;
    if (db_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &state, 0) || db_step(state) != ROW) fail("", db_errmsg(db));
    isFine = db_column_bytes(state, 0) == 2 && !memcmp(db_column_blob(state, 0), "ok", 2);
    db_finalize(state);
    run(db, "SELECT type, name, sql FROM sqlite_master ORDER BY type, name");
    if (db_prepare_v2(db, TABLES, -1, &tables, 0)) fail("", db_errmsg(db));
    while (db_step(tables) == ROW) {
        int size = db_column_bytes(tables, 0);
        char *sql = malloc((size_t)size + 1);
        if (!sql) fail("", "there is no memory");
        memcpy(sql, db_column_blob(tables, 0), (size_t)size);
        sql[size] = 0;
        run(db, sql);
        free(sql);
    }
    db_finalize(tables);
    printf("{\"sqlite\": \"%s\", \"integrity\": %s, \"content\": \"%016llx\"}\n", db_libversion(), isFine ? "true" : "false", (unsigned long long)hash);
    db_close(db);
}

int main(int count, char **words) {
    if (count == 6 && !strcmp(words[1], "run")) measure(words[2], words[3], words[4], *words[5] == '1');
    else if (count == 3 && !strcmp(words[1], "check")) check(words[2]);
    else fail("", "runner run DATABASE SQL PAGES COLD, or runner check DATABASE");
    return 0;
}
