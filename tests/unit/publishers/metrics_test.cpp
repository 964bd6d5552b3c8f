// The metrics of a publisher program, and their page.
#include <gtest/gtest.h>
#include <httplib.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "publishers/program/metrics.h"
#include "publishers/program/metrics_server.h"

namespace weir {
namespace {

// Gives the answers that it was told, then publishes everything.
class ScriptedSink : public Sink {
 public:
  explicit ScriptedSink(std::vector<BatchResult> answers) : answers_(std::move(answers)) {}
  BatchResult publish(const std::string&, const Messages& messages, const std::stop_token&,
                      const WhileWaiting&) override {
    if (next_ < answers_.size()) return answers_[next_++];
    return {.confirmed = messages.size(), .error = {}};
  }
  BatchResult publish_end(const std::string&, const std::string&, const std::stop_token&) override {
    return {.confirmed = 1, .error = {}};
  }

 private:
  const std::vector<BatchResult> answers_;
  std::size_t next_ = 0;
};

class ProgramMetricsTest : public ::testing::Test {
 protected:
  void publish(std::vector<BatchResult> answers, std::stop_token stop = {}) {
    publisher_ = std::make_unique<Publisher>(std::make_unique<ScriptedSink>(std::move(answers)),
                                             Publisher::Options{.retry = std::chrono::seconds(0),
                                                                .unknown = UnknownPolicy::kRepeat,
                                                                .backoff_first = std::chrono::milliseconds(1),
                                                                .backoff_max = std::chrono::milliseconds(2)});
    publisher_->publish("news", std::vector<std::string>{"12345", "123", "1"}, stop);
  }
  // The value of a metric, as the page has it.
  static std::string value(const std::string& page, const std::string& name) {
    const std::string line = "\nweir_publisher_" + name + " ";
    const auto at = page.find(line);
    if (at == std::string::npos) return "(none)";
    return page.substr(at + line.size(), page.find('\n', at + 1) - at - line.size());
  }

  std::unique_ptr<Publisher> publisher_;
};

TEST_F(ProgramMetricsTest, CountsWhatThePublisherDid) {
  publish({{.outcome = Outcome::kUnknown, .confirmed = 1, .unknown = 1, .error = "cut"},
           {.outcome = Outcome::kFailed, .error = "away"}});
  const std::string page = ProgramMetrics(*publisher_).text();
  EXPECT_EQ(value(page, "messages_published_total"), "3");
  EXPECT_EQ(value(page, "bytes_published_total"), "9");
  EXPECT_EQ(value(page, "messages_repeated_total"), "1");
  EXPECT_EQ(value(page, "messages_skipped_total"), "0");
  EXPECT_EQ(value(page, "failures_total"), "2");
  EXPECT_EQ(value(page, "up"), "1");
}

TEST_F(ProgramMetricsTest, IsDownAfterAnAttemptThatFailedButNotAfterOneThatWasStopped) {
  publish({{.outcome = Outcome::kRefused, .error = "NOPERM"}});
  EXPECT_EQ(value(ProgramMetrics(*publisher_).text(), "up"), "0");
  publish({{.outcome = Outcome::kStopped, .error = {}}});
  const std::string page = ProgramMetrics(*publisher_).text();
  EXPECT_EQ(value(page, "up"), "1");
  EXPECT_EQ(value(page, "failures_total"), "0");
}

TEST_F(ProgramMetricsTest, HoldsWhatTheWorkSays) {
  publish({});
  ProgramMetrics metrics(*publisher_);
  metrics.set_behind_bytes(5'000'000'000);
  metrics.set_files(7);
  metrics.add_too_large(1);
  metrics.add_too_large(2);
  metrics.add_read_errors(4);
  metrics.set_progress(10, 20);
  const std::string page = metrics.text();
  EXPECT_EQ(value(page, "behind_bytes"), "5000000000");
  EXPECT_EQ(value(page, "files"), "7");
  EXPECT_EQ(value(page, "messages_too_large_total"), "3");
  EXPECT_EQ(value(page, "read_errors_total"), "4");
  EXPECT_EQ(value(page, "progress_bytes"), "10");
  EXPECT_EQ(value(page, "size_bytes"), "20");
  EXPECT_NE(page.find("# TYPE weir_publisher_up gauge\n"), std::string::npos) << page;
}

class MetricsServerTest : public ProgramMetricsTest {
 protected:
  MetricsServerTest() {
    publish({});
    metrics_ = std::make_unique<ProgramMetrics>(*publisher_);
  }
  std::unique_ptr<MetricsServer> start(const std::string& listen) {
    auto started = MetricsServer::start(listen, *metrics_);
    if (started) return std::move(*started);
    why_not_ = started.error().message;
    return nullptr;
  }

  std::unique_ptr<ProgramMetrics> metrics_;
  std::string why_not_;
};

TEST_F(MetricsServerTest, ShowsThePageAndThatItLives) {
  const auto server = start("127.0.0.1:0");
  ASSERT_TRUE(server);
  httplib::Client client("http://" + server->address());
  for (int round = 0; round < 3; ++round) {
    const auto page = client.Get("/metrics");
    ASSERT_TRUE(page);
    EXPECT_EQ(page->status, 200);
    EXPECT_EQ(page->get_header_value("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_EQ(value(page->body, "messages_published_total"), "3");
  }
  EXPECT_EQ(client.Get("/healthz")->status, 200);
  EXPECT_EQ(client.Get("/metrics?x=1")->status, 200);
  EXPECT_EQ(client.Get("/")->status, 404);
  EXPECT_EQ(client.Post("/metrics")->status, 404);
}

TEST_F(MetricsServerTest, ListensOnEveryAddressWithoutAHost) {
  const auto server = start(":0");
  ASSERT_TRUE(server);
  httplib::Client client("127.0.0.1", std::stoi(server->address().substr(1)));
  EXPECT_TRUE(client.Get("/healthz"));
}

TEST_F(MetricsServerTest, APortInUseIsAnError) {
  const auto server = start("127.0.0.1:0");
  ASSERT_TRUE(server);
  EXPECT_FALSE(start(server->address()));
  EXPECT_NE(why_not_.find("Address already in use"), std::string::npos) << why_not_;
}

// A connection to the server that says `text` and nothing more.
class Visitor {
 public:
  Visitor(const std::string& address, const std::string& text) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  ~Visitor() { ::close(fd_); }
  Visitor(const Visitor&) = delete;
  Visitor& operator=(const Visitor&) = delete;
  // True if the server ends the connection, and says nothing.
  bool is_closed() const {
    char byte = 0;
    return ::recv(fd_, &byte, 1, 0) <= 0;
  }

 private:
  const int fd_;
};

TEST_F(MetricsServerTest, AClientThatSaysNothingHoldsUpNeitherTheNextOneForLongNorTheEnd) {
  auto server = start("127.0.0.1:0");
  ASSERT_TRUE(server);
  const Visitor silent(server->address(), "GET /metrics HTTP/1.1\r\n");
  EXPECT_TRUE(httplib::Client("http://" + server->address()).Get("/healthz"));
  EXPECT_TRUE(silent.is_closed());
  const Visitor other(server->address(), "GET");
  server.reset();
  EXPECT_TRUE(other.is_closed());
}

TEST_F(MetricsServerTest, ARequestThatDoesNotEndIsCutOff) {
  const auto server = start("127.0.0.1:0");
  ASSERT_TRUE(server);
  const Visitor endless(server->address(), std::string(20'000, 'x'));
  EXPECT_TRUE(endless.is_closed());
}

}  // namespace
}  // namespace weir
