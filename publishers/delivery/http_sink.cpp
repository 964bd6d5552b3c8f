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

#include "process/small_file.h"
#include "process/stop.h"
#include "proto/text.h"
#include "publishers/delivery/gateway_answer.h"

namespace weir {
namespace {

// How long a request under way when a stop is requested may wait for its answer.
constexpr std::chrono::seconds kLastAnswerMax{1};

constexpr std::size_t kTokenBytesMax = 8'192;
// The token in a file, without surrounding white space. Refused if it can't stand in a header.
Result<std::string> read_token(const std::string& path) {
  auto text = read_small_file(path, kTokenBytesMax);
  if (!text) return Error{"token-file = " + text.error().message};
  std::string token(trim(*text, " \t\r\n"));
  const bool is_plain = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (token.empty() || !is_plain) return Error{"token-file = \"" + path + "\": there is no token in it"};
  return token;
}

bool was_never_sent(httplib::Error error) {
  return error == httplib::Error::Connection || error == httplib::Error::ConnectionTimeout ||
         error == httplib::Error::BindIPAddress;
}

// The library's own limits are for each read, and it takes a body of any size: what is no answer of a gateway
// ends after the first kilobytes, or when it has taken too long.
httplib::Error exchange(httplib::Client& http, httplib::Request& request, std::chrono::milliseconds timeout,
                        GatewayAnswer& answer) {
  std::chrono::steady_clock::time_point deadline;
  request.response_handler = [&](const httplib::Response& response) {
    answer.status = response.status;
    answer.state = GatewayAnswer::Body::kCut;
    deadline = std::chrono::steady_clock::now() + timeout;
    return true;
  };
  request.content_receiver = [&](const char* data, std::size_t size, auto, auto) {
    const std::size_t room = kAnswerBytesMax - answer.body.size();
    answer.body.append(data, std::min(size, room));
    if (size > room) answer.state = GatewayAnswer::Body::kLonger;
    return size <= room && std::chrono::steady_clock::now() < deadline;
  };
  const auto result = http.send(request);
  if (!result) return result.error();
  // Without a body the library calls neither function in some versions.
  answer.status = result->status;
  answer.state = GatewayAnswer::Body::kWhole;
  return httplib::Error::Success;
}

}  // namespace

struct HttpSink::Client {
  Client(const std::string& host, int port) : http(host, port) {}
  httplib::Client http;
};

HttpSink::HttpSink(Target target, SinkOptions options)
    : target_(std::move(target)),
      token_file_(std::move(options.token_file)),
      timeout_(options.timeout),
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

BatchResult HttpSink::publish(const std::string& channel, const Messages& messages,
                              const std::stop_token& stop, const WhileWaiting&) {
  assert(messages.size() > 0);
  BatchResult result;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const BatchResult before = std::move(result);
    result = post(channel, "", messages.payload(i), messages.key(i), stop);
    result.confirmed += before.confirmed;
    result.known += before.known;
    if (result.outcome != Outcome::kPublished) break;
  }
  return result;
}

BatchResult HttpSink::publish_end(const std::string& channel, const std::string& key,
                                  const std::stop_token& stop) {
  return post(channel, "/end", "", key, stop);
}

BatchResult HttpSink::post(const std::string& channel, const char* action, const std::string& body,
                           std::string_view key, const std::stop_token& stop) {
  if (stop.stop_requested()) return {.outcome = Outcome::kStopped, .error = {}};
  std::jthread last_answer;
  const std::stop_callback interrupt(stop, [&] {
    try {
      last_answer = std::jthread([this](const std::stop_token& answered) {
        if (wait_until(Clock::now() + kLastAnswerMax, answered)) client_->http.stop();
      });
    } catch (const std::system_error&) {
      // Without a thread to measure the time, do not wait for the answer.
      client_->http.stop();
    }
  });
  httplib::Request request;
  request.method = "POST";
  // A channel name has no character that needs an escape in a path.
  request.path = target_.path + "/channels/" + channel + action;
  request.body = body;
  request.headers.emplace("Content-Type", "application/json");
  if (!key.empty()) request.headers.emplace("Idempotency-Key", key);
  if (!token_file_.empty()) {
    const auto token = read_token(token_file_);
    if (!token) return {.outcome = Outcome::kFailed, .error = token.error().message};
    request.headers.emplace("Authorization", "Bearer " + *token);
  }
  GatewayAnswer answer;
  const auto error = exchange(client_->http, request, timeout_, answer);
  const std::string name = target_.redacted() + ": ";
  if (answer.status != 0) {
    const Verdict verdict = judge(answer, channel, !token_file_.empty());
    BatchResult result{.outcome = verdict.outcome, .error = {}};
    result.confirmed = verdict.outcome == Outcome::kPublished ? 1 : 0;
    result.unknown = verdict.outcome == Outcome::kUnknown ? 1 : 0;
    result.known = verdict.is_known ? 1 : 0;
    if (verdict.outcome != Outcome::kPublished) result.error = name + verdict.why;
    if (result.unknown > 0 && stop.stop_requested()) result.outcome = Outcome::kStopped;
    return result;
  }
  const bool is_failed = was_never_sent(error);
  if (stop.stop_requested())
    return {.outcome = Outcome::kStopped, .unknown = is_failed ? 0U : 1U, .error = {}};
  if (is_failed) return {.outcome = Outcome::kFailed, .error = name + "cannot connect"};
  return {.outcome = Outcome::kUnknown, .unknown = 1, .error = name + "no answer (" + to_string(error) + ")"};
}

}  // namespace weir
