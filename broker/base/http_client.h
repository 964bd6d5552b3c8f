// One HTTP request from this process to a server whose address is known, for --healthcheck.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

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

}  // namespace weir
