/* The whole userland of the bed's guest: process 1 of a Linux kernel.
 *
 * It writes a line to its console every 10 ms (`tick NUMBER`), answers whoever connects to its port 80, and answers echo
 * requests through its kernel. Its address are the last four bytes of its network card's own.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS 10000000L

static void load_modules(void) {
    FILE *order = fopen("/modules/order", "r");
    char name[200];
    while (order && fscanf(order, "%199s", name) == 1) {
        int file = open(name, O_RDONLY);
        if (file < 0 || syscall(SYS_finit_module, file, "", 0))
            printf("cannot load %s: %m\n", name);
        close(file);
    }
}

static int network_up(void) {
    struct ifreq wanted = {0};
    struct sockaddr_in *address = (struct sockaddr_in *)&wanted.ifr_addr;
    int sock = socket(AF_INET, SOCK_DGRAM, 0);
    unsigned char last[4];
    int failed;

    strcpy(wanted.ifr_name, "eth0");
    failed = ioctl(sock, SIOCGIFHWADDR, &wanted);
    memcpy(last, wanted.ifr_hwaddr.sa_data + 2, 4);
    memset(&wanted.ifr_addr, 0, sizeof wanted.ifr_addr);
    address->sin_family = AF_INET;
    memcpy(&address->sin_addr, last, 4);
    failed |= ioctl(sock, SIOCSIFADDR, &wanted);
    address->sin_addr.s_addr = htonl(0xffffff00);
    failed |= ioctl(sock, SIOCSIFNETMASK, &wanted);
    wanted.ifr_flags = IFF_UP | IFF_RUNNING;
    failed |= ioctl(sock, SIOCSIFFLAGS, &wanted);
    close(sock);
    return failed;
}

static void *serve(void *unused) {
    static const char reply[] = "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nup\n";
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(80)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    char request[2048];

    (void)unused;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&any, sizeof any) || listen(listener, 128))
        printf("cannot listen: %m\n");
    for (;;) {
        int client = accept(listener, NULL, NULL);
        struct timeval patience = {.tv_usec = 200000};
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (client >= 0 && read(client, request, sizeof request) > 0 && write(client, reply, sizeof reply - 1) < 0)
            printf("cannot answer: %m\n");
        close(client);
    }
    return NULL;
}

int main(void) {
    struct timespec next;
    unsigned long number = 0;
    pthread_t server;

    mkdir("/dev", 0755);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    freopen("/dev/console", "w", stdout);
    setvbuf(stdout, NULL, _IOLBF, 0);
    load_modules();
    if (network_up())
        printf("no network: %m\n");
    pthread_create(&server, NULL, serve, NULL);
    printf("guest ready\n");
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (;;) {
        struct timespec now;
        printf("tick %lu\n", ++number);
        next.tv_nsec += TICK_NS;
        if (next.tv_nsec >= 1000000000L) {
            next.tv_nsec -= 1000000000L;
            next.tv_sec++;
        }
        /* Ticks that were missed are not made up for: the next one is the first that can be on time. */
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec > next.tv_sec || (now.tv_sec == next.tv_sec && now.tv_nsec > next.tv_nsec))
            next = now;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
}
