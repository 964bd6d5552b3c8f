// One HTTP request from this process to a server, for --healthcheck and --selftest.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace weir {

struct HttpAnswer {
  int status = 0;
  std::string reason;  // The text after the status: "Service Unavailable".
  std::string body;
};

enum class HttpFailure {
  kRefused,   // Nobody listens at this address.
  kTimedOut,  // No answer in time.
  // The connection was closed without an answer in HTTP. The client library does not tell an answer that is
  // missing from one that is not HTTP.
  kNotHttp,
};

// A longer body is cut off here.
inline constexpr std::size_t kHttpAnswerBytesMax = 4 << 10;

// Asks `address` (an IPv4 or IPv6 address) for `path` on a new connection, and blocks until the answer is
// there. Any thread. The request names the host "localhost": a gateway on loopback takes no other name.
// `timeout` bounds the whole of it, however the answer comes.
std::variant<HttpAnswer, HttpFailure> http_get(const std::string& address, std::uint16_t port,
                                               const std::string& path, std::chrono::milliseconds timeout);

struct HttpRequest {
  std::string host;  // A name or an address, without brackets.
  std::uint16_t port = 0;
  std::string path;
  std::vector<std::pair<std::string, std::string>> headers;
};

// A GET whose answer is read as it comes: `take` gets each piece of the body of a 200, and ends the reading
// with false. Returns when the answer has ended, `take` has had enough, `stop` is requested or after `timeout`;
// what was answered until then is the result. Blocks; any thread, on which `take` is called.
std::variant<HttpAnswer, HttpFailure> http_stream(const HttpRequest& request,
                                                  const std::function<bool(std::string_view)>& take,
                                                  const std::stop_token& stop,
                                                  std::chrono::milliseconds timeout);

// A POST of `body`. Blocks until the answer is there; any thread.
std::variant<HttpAnswer, HttpFailure> http_post(const HttpRequest& request, const std::string& body,
                                                std::chrono::milliseconds timeout);

}  // namespace weir
