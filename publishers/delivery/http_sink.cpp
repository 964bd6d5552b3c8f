#include "publishers/delivery/http_sink.h"

#include <httplib.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <stop_token>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "process/readable.h"
#include "process/small_file.h"
#include "process/stop.h"
#include "proto/text.h"

namespace weir {
namespace {

// How long a request under way when a stop is requested may wait for its answer.
constexpr std::chrono::seconds kLastAnswerMax{1};

constexpr std::size_t kTokenBytesMax = 8'192;
// How much of a refusal's body is logged.
constexpr std::size_t kShownBytesMax = 200;

// What became of the posted message, by the status of the answer.
Outcome outcome_of(int status, bool has_token_file) {
  if (status >= 200 && status < 300) return Outcome::kPublished;
  // The token has expired, and a new one may be on its way.
  if (status == 401 && has_token_file) return Outcome::kFailed;
  // Redis is away, or too many publishes wait: the gateway has not passed the message on.
  if (status == 503 || status == 429) return Outcome::kFailed;
  // 504 says in words that the outcome is unknown; a 500 or a proxy's 502 leaves it open as well.
  if (status >= 500) return Outcome::kUnknown;
  return Outcome::kRefused;
}

// The token in a file, without surrounding white space. Refused if it can't stand in a header.
Result<std::string> read_token(const std::string& path) {
  auto text = read_small_file(path, kTokenBytesMax);
  if (!text) return Error{"token-file = " + text.error().message};
  std::string token(trim(*text, " \t\r\n"));
  const bool is_plain = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (token.empty() || !is_plain) return Error{"token-file = \"" + path + "\": there is no token in it"};
  return token;
}

// The start of an answer's body: {"error":"…","detail":"…"}.
std::string shown(const std::string& body) {
  return one_line(std::string_view(body).substr(0, kShownBytesMax));
}

bool was_never_sent(httplib::Error error) {
  return error == httplib::Error::Connection || error == httplib::Error::ConnectionTimeout ||
         error == httplib::Error::BindIPAddress;
}

}  // namespace

struct HttpSink::Client {
  Client(const std::string& host, int port) : http(host, port) {}
  httplib::Client http;
};

HttpSink::HttpSink(Target target, SinkOptions options)
    : target_(std::move(target)),
      token_file_(std::move(options.token_file)),
      client_(std::make_unique<Client>(target_.host, target_.port)) {
  auto& http = client_->http;
  http.set_keep_alive(true);
  http.set_tcp_nodelay(true);
  http.set_connection_timeout(options.timeout);
  http.set_read_timeout(options.timeout);
  http.set_write_timeout(options.timeout);
  if (!target_.user.empty()) http.set_basic_auth(target_.user, target_.password);
}

HttpSink::~HttpSink() = default;

BatchResult HttpSink::publish(const std::string& channel, std::span<const std::string> payloads,
                              const std::stop_token& stop, const WhileWaiting&) {
  assert(!payloads.empty());
  const std::string path = path_of(channel);
  BatchResult result;
  for (const auto& payload : payloads) {
    const std::size_t before = result.confirmed;
    result = post(path, payload, stop);
    result.confirmed += before;
    if (result.outcome != Outcome::kPublished) break;
  }
  return result;
}

BatchResult HttpSink::publish_end(const std::string& channel, const std::stop_token& stop) {
  return post(path_of(channel) + "/end", "", stop);
}

BatchResult HttpSink::post(const std::string& path, const std::string& body, const std::stop_token& stop) {
  if (stop.stop_requested()) return {.outcome = Outcome::kStopped, .error = {}};
  std::jthread last_answer;
  const std::stop_callback interrupt(stop, [&] {
    try {
      last_answer = std::jthread([this](const std::stop_token& answered) {
        if (wait_until(std::chrono::steady_clock::now() + kLastAnswerMax, answered)) client_->http.stop();
      });
    } catch (const std::system_error&) {
      // Without a thread to measure the time, do not wait for the answer.
      client_->http.stop();
    }
  });
  const std::string name = target_.redacted() + ": ";
  httplib::Headers headers;
  if (!token_file_.empty()) {
    const auto token = read_token(token_file_);
    if (!token) return {.outcome = Outcome::kFailed, .error = token.error().message};
    headers.emplace("Authorization", "Bearer " + *token);
  }
  const auto answer = client_->http.Post(path, headers, body, "application/json");
  if (answer) {
    const Outcome outcome = outcome_of(answer->status, !token_file_.empty());
    if (outcome == Outcome::kPublished) return {.outcome = outcome, .confirmed = 1, .error = {}};
    return {.outcome = outcome,
            .unknown = outcome == Outcome::kUnknown ? 1U : 0U,
            .error = name + "status " + std::to_string(answer->status) + " " + shown(answer->body)};
  }
  const bool is_failed = was_never_sent(answer.error());
  if (stop.stop_requested())
    return {.outcome = Outcome::kStopped, .unknown = is_failed ? 0U : 1U, .error = {}};
  if (is_failed) return {.outcome = Outcome::kFailed, .error = name + "cannot connect"};
  return {.outcome = Outcome::kUnknown,
          .unknown = 1,
          .error = name + "no answer (" + to_string(answer.error()) + ")"};
}

// A channel name has no character that needs an escape in a path.
std::string HttpSink::path_of(const std::string& channel) const {
  return target_.path + "/channels/" + channel;
}

}  // namespace weir
