#include "broker/selftest.h"

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>

#include "broker/base/http_client.h"
#include "broker/base/mutex.h"
#include "broker/bus/redis_bus.h"
#include "process/stop.h"
#include "settings/listen_address.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// For the stream, from its request to the message. A gateway opens one after 2 s at the latest.
constexpr seconds kStreamTimeout{20};
constexpr seconds kPublishTimeout{5};
constexpr milliseconds kLook{20};
constexpr std::size_t kTokenBytesMax = 64 << 10;

// The first reason wins: it is what the others follow from.
class Verdict {
 public:
  void fail(std::string reason) {
    const MutexLock lock(mutex_);
    if (!reason_) reason_ = std::move(reason);
    stop_.request_stop();
  }
  std::optional<std::string> reason() const {
    const MutexLock lock(mutex_);
    return reason_;
  }
  std::stop_token token() const { return stop_.get_token(); }

 private:
  mutable Mutex mutex_;
  std::optional<std::string> reason_ GUARDED_BY(mutex_);
  std::stop_source stop_;
};

// The publisher's side hears nothing.
class Deaf : public BusListener {
  void on_message(std::string_view, std::string_view) override {}
  void on_too_large(std::string_view) override {}
  void on_subscribed(std::string_view) override {}
  void on_recording(std::string_view) override {}
  void on_refused(std::string_view, std::string_view) override {}
  void on_lost() override {}
  void on_state(bool) override {}
  void on_idle() override {}
};

const char* text_of(HttpFailure failure) {
  switch (failure) {
    case HttpFailure::kRefused:
      return "nobody answers at this address";
    case HttpFailure::kTimedOut:
      return "no answer in time";
    case HttpFailure::kNotHttp:
      break;
  }
  return "closed without an answer";
}

// "403 Forbidden: {…}", with what helps.
std::string text_of(const HttpAnswer& answer) {
  std::string text = std::to_string(answer.status) + " " + answer.reason + ": " +
                     answer.body.substr(0, answer.body.find('\n'));
  if (answer.status == 401) text += " (selftest-token-file names a file with a token)";
  if (answer.status == 403) text += " (selftest-channel must be one that may be read and published to)";
  return text;
}

std::string payload_of(const std::string& nonce) { return R"({"type":"selftest","data":")" + nonce + "\"}"; }

void publish_over_redis(const Config& config, const std::string& nonce, Verdict& verdict) {
  auto url = parse_redis_url(config.redis_url);
  if (!url) return verdict.fail("redis-url: " + url.error().message);
  Deaf deaf;
  const auto bus = make_redis_bus({.url = std::move(*url),
                                   .files = config.redis_files,
                                   .prefix = config.redis_prefix,
                                   .limits = {.message_bytes_max = config.max_message_bytes,
                                              .publishes_waiting_max = config.max_publishes_waiting,
                                              .publishes_waiting_bytes_max = config.request_memory_bytes},
                                   .publish_timeout = kPublishTimeout},
                                  deaf);
  bus->start();
  const auto end = std::chrono::steady_clock::now() + kPublishTimeout;
  while (!bus->state().is_connected && std::chrono::steady_clock::now() < end) {
    if (!wait_until(std::chrono::steady_clock::now() + kLook, verdict.token())) break;
  }
  if (const BusState state = bus->state(); !state.is_connected) {
    verdict.fail("Redis: " + (state.why_not.empty() ? "no answer in time" : state.why_not));
  } else {
    bus->publish(config.selftest_channel, payload_of(nonce), [&verdict](const PublishResult& result) {
      if (result.outcome == PublishOutcome::kDelivered && result.receivers > 0) return;
      verdict.fail(result.outcome == PublishOutcome::kDelivered
                       ? "Redis: no gateway has subscribed to the channel (another Redis, another "
                         "redis-prefix, or a followed stream?)"
                       : "Redis did not take the message: " + result.detail);
    });
    // stop() takes back what has no outcome yet.
    while (bus->state().publishes_waiting > 0 &&
           wait_until(std::chrono::steady_clock::now() + kLook, verdict.token())) {
    }
  }
  bus->stop();
}

void publish_over_http(const HttpRequest& request, const std::string& nonce, Verdict& verdict) {
  const auto outcome = http_post(request, payload_of(nonce), kPublishTimeout);
  if (const auto* failure = std::get_if<HttpFailure>(&outcome))
    return verdict.fail(std::string("POST: ") + text_of(*failure));
  const auto& answer = std::get<HttpAnswer>(outcome);
  if (answer.status != 202) verdict.fail("POST: " + text_of(answer));
}

}  // namespace

Result<GatewayUrl> parse_gateway_url(const std::string& text) {
  constexpr std::string_view kScheme = "http://";
  const Error error{"must be http://host[:port][/base-path]"};
  if (!text.starts_with(kScheme)) return error;
  GatewayUrl url;
  const auto slash = std::min(text.find('/', kScheme.size()), text.size());
  std::string host = text.substr(kScheme.size(), slash - kScheme.size());
  url.base_path = text.substr(slash);
  while (url.base_path.ends_with('/')) url.base_path.pop_back();
  const auto bracket = host.rfind(']');
  const auto colon = host.rfind(':');
  if (colon != std::string::npos && (bracket == std::string::npos || colon > bracket)) {
    const auto port = parse_port(std::string_view(host).substr(colon + 1));
    if (!port || *port == 0) return error;
    url.port = *port;
    host.resize(colon);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || host.find_first_of("@[]?# ") != std::string::npos) return error;
  url.host = std::move(host);
  return url;
}

std::optional<std::string> why_selftest_fails(const Config& config, const std::string& nonce) {
  const auto url = parse_gateway_url(config.selftest);
  if (!url) return "selftest: " + url.error().message;
  HttpRequest request{.host = url->host,
                      .port = url->port,
                      .path = url->base_path + "/channels/" + config.selftest_channel,
                      .headers = {}};
  if (!config.selftest_token_file.empty()) {
    auto token = read_setting_file("selftest-token-file", config.selftest_token_file, kTokenBytesMax);
    if (!token) return token.error().message;
    while (token->ends_with('\n') || token->ends_with('\r')) token->pop_back();
    request.headers.emplace_back("Authorization", "Bearer " + *token);
  }
  Verdict verdict;
  std::jthread publisher;
  bool has_come = false;
  std::string seen;
  const auto take = [&](std::string_view piece) {
    seen += piece;
    // The first block says that the stream is there: nothing published from now on is missed.
    if (!publisher.joinable() && seen.find("\n\n") != std::string::npos) {
      publisher = std::jthread([&] {
        if (config.redis_url.empty()) {
          publish_over_http(request, nonce, verdict);
        } else {
          publish_over_redis(config, nonce, verdict);
        }
      });
    }
    has_come = seen.find(nonce) != std::string::npos;
    // What comes before the message matters to nobody.
    if (seen.size() > 2 * kHttpAnswerBytesMax) seen.erase(0, seen.size() - nonce.size());
    return !has_come;
  };
  HttpRequest stream = request;
  stream.headers.emplace_back("Accept", "text/event-stream");
  const auto outcome = http_stream(stream, take, verdict.token(), kStreamTimeout);
  if (publisher.joinable()) publisher.join();
  if (has_come) return std::nullopt;
  if (auto reason = verdict.reason()) return reason;
  if (const auto* failure = std::get_if<HttpFailure>(&outcome))
    return config.selftest + ": " + text_of(*failure);
  const auto& answer = std::get<HttpAnswer>(outcome);
  if (answer.status != 200) return config.selftest + ": " + text_of(answer);
  return config.selftest + ": the stream ended before the message came";
}

}  // namespace weir
