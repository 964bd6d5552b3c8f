// The front against clients that are slow, wrong or gone.
#include "broker/http/front.h"

#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <iterator>
#include <thread>

#include "tests/support/http_fixture.h"

namespace weir {
namespace {

using FrontLoop = HttpTest;

std::size_t count_entries(const char* directory) {
  std::size_t count = 0;
  DIR* entries = ::opendir(directory);
  while (::readdir(entries) != nullptr) ++count;
  ::closedir(entries);
  return count;
}

double gauge(const Metrics& metrics, const std::string& name) {
  const std::string page = metrics.render();
  const auto at = page.find("\n" + name + " ");
  return at == std::string::npos ? -1 : std::stod(page.substr(at + name.size() + 2));
}

TEST_F(FrontLoop, RefusesWhatNoHonestClientSendsAndCloses) {
  const std::string head = "POST /channels/a HTTP/1.1\r\nHost: localhost\r\n";
  std::string headers;
  for (int i = 0; i < 101; ++i) headers += "X" + std::to_string(i) + ": y\r\n";
  const std::vector<std::pair<std::string, int>> requests = {
      {"GET / HTTP/1.1\nHost: localhost\n\n", 400},
      {head + "X: a\nY: b\r\n\r\n", 400},
      {head + std::string("X: a\0b\r\n\r\n", 10), 400},
      {head + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400},
      {head + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 400},
      {head + "Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n", 400},
      {head + headers + "\r\n", 431},
      {head + "X: " + std::string(100'000, 'x'), 431},
      {head + "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", 415},
      {"GET / HTTP/3.0\r\nHost: localhost\r\n\r\n", 505},
      {"\x16\x03\x01\x02", 400},
  };
  for (const auto& [text, status] : requests) {
    HttpClient client = connect();
    client.send(text + request("POST", "/channels/a", "", "smuggled"));
    const Response response = client.response();
    EXPECT_EQ(response.status, status) << text.substr(0, 200);
    EXPECT_EQ(response.header("connection"), "close");
    EXPECT_TRUE(response.body.starts_with("{\"error\":\"")) << response.body;
    EXPECT_TRUE(client.is_closed_by_peer()) << text.substr(0, 200);
  }
  EXPECT_EQ(gateway.published(), 0U);
  EXPECT_NE(metrics.render().find("weir_http_refused_total{reason=\"head-bytes\"} 2\n"), std::string::npos);
  EXPECT_NE(metrics.render().find("weir_http_refused_total{reason=\"bad-request\"} 9\n"), std::string::npos);
}

TEST_F(FrontLoop, LetsAClientReadWhyItsLongBodyWasRefused) {
  config.max_message_bytes = 1'000;
  HttpClient client = connect();
  client.send(request("POST", "/channels/a", "", std::string(4 << 20, 'x')));
  EXPECT_EQ(client.response().status, 413);
}

TEST_F(FrontLoop, RefusesAChunkThatIsTooLongBeforeItComes) {
  config.max_message_bytes = 1'000;
  HttpClient client = connect();
  client.send("POST /channels/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n");
  EXPECT_EQ(client.response().status, 413);
  EXPECT_TRUE(client.is_closed_by_peer());
}

TEST_F(FrontLoop, RefusesAChunkedBodyThatGrowsTooLong) {
  config.max_message_bytes = 1'000;
  HttpClient client = connect();
  client.send("POST /channels/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" +
              std::string(1'000, 'x') + "\r\n1\r\nx\r\n0\r\n\r\n");
  EXPECT_EQ(client.response().status, 413);
  EXPECT_TRUE(client.is_closed_by_peer());
}

TEST_F(FrontLoop, BoundsTheMemoryOfAllRequestsTogether) {
  config.request_memory_bytes = 1 << 20;
  std::vector<HttpClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(connect());
    clients.back().send("POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n" +
                        std::string(700'000, 'x'));
  }
  // The first one fits; whichever come later do not, and the room that they give back is not taken by anyone.
  std::vector<std::thread> readers;
  std::atomic<int> status_503 = 0;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&, i] {
      if (clients[static_cast<std::size_t>(i)].response().status == 503) ++status_503;
    });
  }
  while (status_503 < 2) std::this_thread::yield();
  server->stop(std::chrono::milliseconds(0));
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(status_503, 2);
}

// Requests of several clients: a proxy in front says whose each is.
class RequestMemory : public HttpTest {
 protected:
  static constexpr std::size_t kBody = 200'000;

  RequestMemory() {
    config.request_memory_bytes = 1 << 20;
    config.max_message_bytes = 256 << 10;
    config.body_seconds = std::chrono::seconds(3'600);
    config.trusted_proxy = {"127.0.0.1"};
  }
  void start_counting() {
    start();
    metrics.add_source([this](MetricsPage& page) { server->collect(page); });
  }
  // A POST of kBody bytes by `address`, of which `sent` follow.
  static std::string post(const std::string& address, std::size_t sent = kBody) {
    return "POST /channels/a HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: " + address +
           "\r\nContent-Length: " + std::to_string(kBody) + "\r\n\r\n" + std::string(sent, 'x');
  }
  // A publisher does as it is told by 429 and 503.
  bool gets_in(const std::string& address) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (std::chrono::steady_clock::now() < deadline) {
      HttpClient client = connect();
      const int status = client.send(post(address)).response().status;
      if (status == 202) return true;
      EXPECT_TRUE(status == 429 || status == 503) << status;
    }
    return false;
  }
  double held() const { return gauge(metrics, "weir_http_request_bytes"); }
  double refused(const std::string& reason) const {
    return std::max(gauge(metrics, "weir_http_refused_total{reason=\"" + reason + "\"}"), 0.0);
  }
  static bool eventually(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }
};

TEST_F(RequestMemory, IsHeldUntilTheBusHasAnswered) {
  start_counting();
  gateway.holds_publishes = true;
  std::vector<HttpClient> clients;
  for (std::size_t i = 0; i < 5; ++i) {
    clients.push_back(connect());
    clients.back().send(post("192.0.2." + std::to_string(i)));
    ASSERT_EQ(gateway.wait_for_published(i + 1).size(), i + 1);
  }
  EXPECT_GE(held(), 5 * kBody);
  EXPECT_LE(held(), 1 << 20);
  // Whole requests don't give way.
  HttpClient late = connect();
  const Response response = late.send(post("192.0.2.99")).response();
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.header("retry-after"), "1");
  EXPECT_EQ(refused("request-memory"), 1);
  gateway.answer_publishes({PublishOutcome::kDelivered, 1, ""});
  for (HttpClient& client : clients) EXPECT_EQ(client.response().status, 202);
  EXPECT_EQ(held(), 0);
  gateway.holds_publishes = false;
  EXPECT_TRUE(gets_in("192.0.2.99"));
}

TEST_F(RequestMemory, IsSharedOutByAddress) {
  start_counting();
  gateway.holds_publishes = true;
  HttpClient first = connect();
  HttpClient second = connect();
  first.send(post("192.0.2.1"));
  second.send(post("192.0.2.1"));
  ASSERT_EQ(gateway.wait_for_published(2).size(), 2U);
  HttpClient third = connect();
  EXPECT_EQ(third.send(post("192.0.2.1")).response().status, 429);
  EXPECT_EQ(refused("request-memory-per-address"), 1);
  HttpClient other = connect();
  other.send(post("192.0.2.2"));
  EXPECT_EQ(gateway.wait_for_published(3).size(), 3U);
  gateway.answer_publishes({PublishOutcome::kDelivered, 1, ""});
  EXPECT_EQ(other.response().status, 202);
}

TEST_F(RequestMemory, IsTakenFromTheSlowestBody) {
  start_counting();
  std::vector<HttpClient> stopped;
  for (int i = 0; i < 45; ++i) {
    stopped.push_back(connect());
    stopped.back().send(post("192.0.2." + std::to_string(i), kBody / 2));
  }
  EXPECT_TRUE(eventually([&] { return refused("request-memory-slowest") + refused("request-memory") > 30; }));
  EXPECT_TRUE(gets_in("198.51.100.1"));
  EXPECT_GT(refused("request-memory-slowest"), 0);
  EXPECT_LE(held(), 1 << 20);
}

TEST_F(RequestMemory, IsTakenFromTheSlowestBodyOfTheSameAddress) {
  start_counting();
  std::vector<HttpClient> stopped;
  for (int i = 0; i < 45; ++i) {
    stopped.push_back(connect());
    stopped.back().send(post("192.0.2.1", kBody / 2));
  }
  EXPECT_TRUE(eventually([&] { return refused("request-memory-per-address") > 30; }));
  HttpClient other = connect();
  EXPECT_EQ(other.send(post("192.0.2.2")).response().status, 202)
      << "There is room: one address has half of it.";
  EXPECT_TRUE(gets_in("192.0.2.1"));
  EXPECT_LE(held(), 1 << 19);
}

// The heads of 16 KB that stop before their end, and what is pipelined behind a publish that waits.
TEST_F(RequestMemory, CountsWhateverARequestHolds) {
  start_counting();
  gateway.holds_publishes = true;
  std::vector<HttpClient> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(connect());
    clients.back().send("GET /channels/a HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(15'000, 'x'));
  }
  for (std::size_t i = 0; i < 40; ++i) {
    clients.push_back(connect());
    clients.back().send(request("POST", "/channels/a", "", "x") +
                        "GET /channels/a HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(15'000, 'x'));
  }
  ASSERT_EQ(gateway.wait_for_published(40).size(), 40U);
  EXPECT_LE(held(), 1 << 20);
  gateway.holds_publishes = false;
  EXPECT_TRUE(gets_in("192.0.2.2"));
}

TEST_F(FrontLoop, HoldsNoMoreOfABodyThatNobodyReadsThanOfAHead) {
  HttpClient client = connect();
  client.send("GET /channels/a/info HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000\r\n\r\n");
  const Response response = client.response();
  EXPECT_EQ(response.status, 413);
  EXPECT_NE(response.body.find("--head-bytes"), std::string::npos) << response.body;
  EXPECT_EQ(ask("GET", "/channels/a/info", "Content-Length: 5\r\n", "short").status, 200);
}

TEST_F(FrontLoop, ClosesSlowHeadsAndBodies) {
  config.head_seconds = std::chrono::seconds(1);
  config.body_seconds = std::chrono::seconds(1);
  HttpClient head = connect();
  HttpClient body = connect();
  HttpClient silent = connect();
  head.send("GET /channels/a HTTP/1.1\r\nHost: loc");
  body.send("POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf");
  EXPECT_EQ(head.response().status, 408);
  EXPECT_EQ(body.response().status, 408);
  EXPECT_TRUE(silent.is_closed_by_peer());
  EXPECT_EQ(gateway.published(), 0U);
}

TEST_F(FrontLoop, ClosesIdleConnections) {
  config.keep_alive = std::chrono::seconds(1);
  HttpClient client = connect();
  client.send(request("GET", "/channels/a/info"));
  EXPECT_EQ(client.response().status, 200);
  EXPECT_TRUE(client.is_closed_by_peer());
}

TEST_F(FrontLoop, GivesSlowClientsNoThread) {
  EXPECT_EQ(ask("GET", "/channels/a/info").status, 200);
  const std::size_t before = count_entries("/proc/self/task");
  std::vector<HttpClient> slow;
  for (int i = 0; i < 200; ++i) {
    slow.push_back(connect());
    slow.back().send(i % 2 == 0 ? "GET /channels/a HTTP/1.1\r\nHo"
                                : request("POST", "/channels/a", "Expect: 100-continue\r\n"));
  }
  EXPECT_EQ(ask("GET", "/channels/a/info").status, 200);
  EXPECT_LE(count_entries("/proc/self/task"), before);
}

TEST_F(FrontLoop, SurvivesAbruptCloses) {
  start();
  const std::string text = request("POST", "/channels/a", "", "body");
  for (std::size_t size = 0; size <= text.size(); ++size) {
    HttpClient client = connect();
    client.send(text.substr(0, size));
    size % 2 == 0 ? client.reset() : client.close();
  }
  EXPECT_EQ(ask("GET", "/channels/a/info").status, 200);
}

TEST_F(FrontLoop, PublishesNothingOfARequestThatIsCut) {
  HttpClient client = connect();
  client.send("POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf");
  client.half_close();
  EXPECT_TRUE(client.is_closed_by_peer());
  EXPECT_EQ(gateway.published(), 0U);
}

TEST_F(FrontLoop, AnswersAClientThatHalfClosesAfterItsRequest) {
  HttpClient client = connect();
  client.send(request("POST", "/channels/a", "", "x"));
  client.half_close();
  EXPECT_EQ(client.response().status, 202);
  EXPECT_TRUE(client.is_closed_by_peer());
}

TEST_F(FrontLoop, KeepsOrClosesAsTheClientWants) {
  for (const char* version : {"1.1", "1.0"}) {
    HttpClient closing = connect();
    closing.send("GET /channels/a/info HTTP/" + std::string(version) +
                 "\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(closing.response().header("connection"), "close");
    EXPECT_TRUE(closing.is_closed_by_peer());
  }
  HttpClient old = connect();
  for (int i = 0; i < 3; ++i) {
    old.send("GET /channels/a/info HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(old.response().header("connection"), "keep-alive");
  }
  HttpClient plain = connect();
  EXPECT_EQ(plain.send("GET /channels/a/info HTTP/1.0\r\n\r\n").response().header("connection"), "close");
  EXPECT_TRUE(plain.is_closed_by_peer());
}

TEST_F(FrontLoop, ForgivesAnEmptyLineBetweenRequests) {
  HttpClient client = connect();
  client.send("\r\n" + request("POST", "/channels/a", "", "x") + "\r\n" +
              request("POST", "/channels/a", "", "y"));
  EXPECT_EQ(client.response().status, 202);
  EXPECT_EQ(client.response().status, 202);
}

TEST_F(FrontLoop, IgnoresRangesAndEncodings) {
  std::string ranges = "Range: bytes=0-0";
  for (int i = 1; i < 1'900; ++i) ranges += "," + std::to_string(i % 10) + "-";
  const Response page = ask("GET", "/");
  const Response again = ask("GET", "/", ranges + "\r\nAccept-Encoding: gzip, br\r\n");
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.body, page.body);
  EXPECT_FALSE(again.has("content-encoding"));
  EXPECT_FALSE(again.has("accept-ranges"));
}

TEST_F(FrontLoop, RefusesRequestsPastTheLimitInProgress) {
  config.max_requests = 0;
  EXPECT_EQ(ask("POST", "/channels/a", "", "x").status, 503);
  const Response stream = ask("GET", "/channels/a", kEventStream);
  EXPECT_EQ(stream.status, 200) << "An EventSource comes back only from a 200.";
  EXPECT_NE(stream.body.find("weir:overloaded"), std::string::npos);
  EXPECT_NE(metrics.render().find("weir_http_refused_total{reason=\"requests\"} 2"), std::string::npos);
  HttpClient admin = connect_admin();
  EXPECT_EQ(admin.send(request("GET", "/healthz")).response().status, 200) << "Probes are not concerned.";
}

TEST_F(FrontLoop, HasNothingLeftOfClientsThatHaveGone) {
  start();
  metrics.add_source([this](MetricsPage& page) { server->collect(page); });
  {
    std::vector<HttpClient> clients;
    for (int i = 0; i < 20; ++i)
      clients.push_back(connect()), clients.back().send("POST /channels/a HTTP/1.1\r\nContent-Le");
    while (gauge(metrics, "weir_http_connections") < 20) std::this_thread::yield();
  }
  while (gauge(metrics, "weir_http_connections") > 0) std::this_thread::yield();
  EXPECT_EQ(gauge(metrics, "weir_http_request_bytes"), 0);
}

TEST_F(FrontLoop, SaysWhyItCanNotListen) {
  start();
  Config other = config;
  other.listen = "127.0.0.1:" + std::to_string(server->port());
  const auto started = make_server(other)->start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "listen: can't listen on " + other.listen + ": Address already in use");
}

TEST_F(FrontLoop, ListensOnNamesAndOnAllAddresses) {
  for (const char* listen : {"localhost:0", ":0", "[::]:0"}) {
    config.listen = listen;
    const auto other = make_server(config);
    const auto started = other->start();
    ASSERT_TRUE(started) << listen << ": " << started.error().message;
    HttpClient client(other->port());
    EXPECT_EQ(client.send(request("GET", "/channels/a/info")).response().status, 200) << listen;
  }
}

// Takes IPv6 away from the thread that calls it, as a kernel without it does.
void forbid_ipv6() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
  ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0), 0);
}

TEST_F(FrontLoop, ListensOnIpv4AloneWhereThereIsNoIpv6) {
  for (const char* listen : {"[::]:0", ":0"}) {
    config.listen = config.admin_listen = listen;
    auto other = make_server(config);
    std::thread([&other, listen] {
      forbid_ipv6();
      const auto started = other->start();
      EXPECT_TRUE(started) << listen << ": " << started.error().message;
    }).join();
    HttpClient client(other->port());
    EXPECT_EQ(client.send(request("GET", "/channels/a/info")).response().status, 200) << listen;
  }
}

TEST_F(FrontLoop, TakesNoHalfOfAPortThatIsInUse) {
  start();
  config.listen = ":" + std::to_string(server->port());
  const auto started = make_server(config)->start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "listen: can't listen on " + config.listen + ": Address already in use");
}

}  // namespace
}  // namespace weir
