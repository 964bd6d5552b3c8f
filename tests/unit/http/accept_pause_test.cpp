// What the front does when the process runs out of descriptors.
#include <sys/resource.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <vector>

#include "broker/base/metrics.h"
#include "broker/http/front.h"
#include "tests/support/http_client.h"
#include "tests/unit/http/fake_handler.h"

namespace weir {
namespace {

// Lets the process have `more` descriptors beyond those that are open now; gives the old limit back.
class DescriptorLimit {
 public:
  explicit DescriptorLimit(rlim_t more) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int next = ::dup(0);  // The lowest that is free.
    ::close(next);
    rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(next) + more;
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  }
  ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

int unconnected_socket() { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }

// Needs no descriptor more, and no accept(): the kernel completes it in the backlog.
void connect_to(int socket, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
}

void send_text(int socket, std::string_view text) {
  EXPECT_EQ(::send(socket, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

bool has_answer(int socket) {
  char byte = 0;
  return ::recv(socket, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1;
}

// The test's thread is the front's: what the loop does can be counted.
class AcceptPause : public testing::Test {
 protected:
  void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
    // UBSan asks with a pipe() whether memory can be read; without descriptors it takes every object
    // for a bad one.
    GTEST_SKIP() << "sanitizers need descriptors of their own";
#endif
  }
  AcceptPause() {
    const auto port = front.listen("127.0.0.1", 0);
    EXPECT_TRUE(port);
    port_ = *port;
    front.start();
  }
  ~AcceptPause() override {
    pool.stop();
    front.close();
    for (const int socket : sockets_) ::close(socket);
  }
  std::vector<int> make_sockets(int count) {
    std::vector<int> made;
    for (int i = 0; i < count; ++i) made.push_back(unconnected_socket());
    sockets_.insert(sockets_.end(), made.begin(), made.end());
    return made;
  }
  void run_until(const std::function<bool()>& is_done) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (!is_done() && std::chrono::steady_clock::now() < deadline)
      loop.run_for(std::chrono::milliseconds(5));
    EXPECT_TRUE(is_done());
  }

  Metrics metrics;
  asio::io_context loop;
  FakeHandler handler{[](Request&) { return error_reply(404, "nothing"); }};
  HttplibEngine engine{handler};
  Pool pool{1, 64};
  static constexpr std::chrono::minutes kNever{1};
  Front front{loop,
              {.head_bytes_max = 16 << 10,
               .body_bytes_max = 1 << 20,
               .request_bytes_max = 1 << 20,
               .head_timeout = kNever,
               .body_timeout = kNever,
               .keep_alive_timeout = kNever,
               .accept_pause = std::chrono::milliseconds(20)},
              handler,
              engine,
              pool,
              metrics};
  std::uint16_t port_ = 0;
  std::vector<int> sockets_;
};

constexpr std::string_view kHalf = "GET / HTTP/1.1\r\nHo";
constexpr std::string_view kOtherHalf = "st: localhost\r\n\r\n";

TEST_F(AcceptPause, ComesInsteadOfSpinningAndEndsWhenThereAreDescriptorsAgain) {
  const std::vector<int> clients = make_sockets(12);
  {
    const DescriptorLimit limit(4);
    for (const int client : clients) connect_to(client, port_), send_text(client, kHalf);
    run_until([&] { return front.accept_pauses() >= 1; });
    EXPECT_EQ(front.connections(), 4U);

    // Spinning would be hundreds of thousands of calls; a pause is one timer.
    EXPECT_LT(loop.run_for(std::chrono::milliseconds(500)), 500U);

    // Who is connected is served meanwhile.
    send_text(clients[0], kOtherHalf);
    run_until([&] { return has_answer(clients[0]); });
  }
  for (const int client : clients) {
    if (client != clients[0]) send_text(client, kOtherHalf);
  }
  for (const int client : clients) run_until([&] { return has_answer(client); });
}

// Connections that wait for a next request that may never come make room, so nobody waits
// for their time limit.
TEST_F(AcceptPause, ClosesIdleConnectionsForThoseThatWait) {
  const std::vector<int> clients = make_sockets(12);
  const DescriptorLimit limit(4);
  for (const int client : clients) {
    connect_to(client, port_);
    send_text(client, kHalf);
    send_text(client, kOtherHalf);
  }
  for (const int client : clients) run_until([&] { return has_answer(client); });
}

}  // namespace
}  // namespace weir
