// The head of an HTTP/1.x request: found, checked and taken apart, and what no honest client sends is
// refused. Pure functions, any thread, no sockets; the input may be anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/http/refused.h"

namespace weir {

struct Header {
  std::string name;  // In lower case where it was read from a request.
  std::string value;
};

// Why a request is not served: a status, one line for people, and what it counts as.
struct Refusal {
  int status = 400;
  std::string detail;
  Refused reason = Refused::kBadRequest;
};

// A request head that was found good. Both parts of the target are still percent-encoded.
struct Head {
  std::string method;
  std::string
      path;  // Begins with "/", or is "*" (OPTIONS). An absolute-form target has lost its authority to Host.
  std::string query;  // Without the "?"; may be empty.
  bool is_http_1_0 = false;
  std::vector<Header> headers;
  std::uint64_t content_length = 0;  // 0 where there is no body, and where is_chunked.
  bool is_chunked = false;
  bool wants_keep_alive = true;
  bool expects_continue = false;

  // The first header of that name (in lower case); nullptr if there is none.
  const std::string* find(std::string_view name) const;
  // All headers of that name, joined by ", "; nullopt if there is none.
  std::optional<std::string> joined(std::string_view name) const;
  bool has_body() const { return is_chunked || content_length > 0; }
};

// Where the head that `text` begins with ends.
struct HeadEnd {
  enum class State { kIncomplete, kComplete, kRefused };
  State state = State::kIncomplete;
  std::size_t size = 0;  // kComplete: of the head, its blank line included. kIncomplete: go on from here.
};
// `from` is the `size` of an earlier kIncomplete answer for a prefix of `text`. A bare LF, or a first byte
// with which no method begins (a TLS handshake), is refused at once: waiting for a blank line would be in
// vain.
HeadEnd find_head_end(std::string_view text, std::size_t from);

inline constexpr std::size_t kHeadersMax = 100;
// What is handed to cpp-httplib: it takes a line of 8,192 bytes. Queries (many channels) and other headers
// stay with us and are bounded by the size of the whole head.
inline constexpr std::size_t kPathBytesMax = 4'096;
inline constexpr std::size_t kHostBytesMax = 1'024;

// Reads the whole head `text` (as find_head_end() found it) into `head`; nullopt if it is good.
// 400: bare CR, LF or NUL, folded lines, an encoded CR, LF or NUL in the target, two lengths, a length that
// is not a number, a length beside Transfer-Encoding, no Host or two of them. 414 and 431: too long, too
// many. 415: Content-Encoding. 417: another expectation than 100-continue. 501: another Transfer-Encoding
// than chunked, a method of another protocol. 505: neither HTTP/1.1 nor 1.0.
std::optional<Refusal> parse_head(std::string_view text, Head& head);

// Compares as HTTP does: A-Z and a-z are the same.
bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace weir
