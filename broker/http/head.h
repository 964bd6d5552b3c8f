// Finds, checks and parses the head of an HTTP/1.x request, and refuses what no honest client sends (RFC
// 9110, 9112). Pure functions, any thread; the input may be anything.
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
  std::string name;  // In lower case if it comes from a request.
  std::string value;
};

// The refusal of a request: its status, one line for people, and its reason in the metrics.
struct Refusal {
  int status = 400;
  std::string detail;
  Refused reason = Refused::kBadRequest;
};

// A valid request head. Path and query are still percent-encoded.
struct Head {
  std::string method;
  // Begins with "/", or is "*" (OPTIONS). The authority of an absolute-form target has become the Host.
  std::string path;
  std::string query;  // Without the "?"; may be empty.
  bool is_http_1_0 = false;
  std::vector<Header> headers;
  std::uint64_t content_length = 0;  // 0 if there is no body, or if it is chunked.
  bool is_chunked = false;
  bool wants_keep_alive = true;
  bool expects_continue = false;

  // The value of the first header of that name (in lower case); nullptr if there is none.
  const std::string* find(std::string_view name) const;
  // The values of all headers of that name, joined by ", "; nullopt if there is none.
  std::optional<std::string> joined(std::string_view name) const;
  bool has_body() const { return is_chunked || content_length > 0; }
};

// The end of a head.
struct HeadEnd {
  enum class State { kIncomplete, kComplete, kRefused };
  State state = State::kIncomplete;
  // kComplete: the bytes of the head, blank line included. kIncomplete: the position to go on from.
  std::size_t size = 0;
};
// Finds the end of the head at the front of `text`. `from` is 0, or the `size` of an earlier kIncomplete
// answer for a prefix of `text`. Refuses a bare LF, or a first byte that begins no method (a TLS handshake),
// at once: their blank line may never come.
HeadEnd find_head_end(std::string_view text, std::size_t from);

inline constexpr std::size_t kHeadersMax = 100;
// Limits of the parts that go to cpp-httplib, which takes a line of 8,192 bytes. Queries (many channels) and
// other headers stay with us; the size of the whole head bounds them.
inline constexpr std::size_t kPathBytesMax = 4'096;
inline constexpr std::size_t kHostBytesMax = 1'024;

// Parses the whole head `text`, found by find_head_end(), into `head`. Returns nullopt if it is valid, or the
// reason to refuse it:
//   400  a bare CR, LF or NUL; a folded line; an encoded CR, LF or NUL in the target; two lengths, a length
//        that is not a number, or a length beside Transfer-Encoding; no Host or two of them
//   414  the path is too long
//   415  a Content-Encoding
//   417  an expectation other than 100-continue
//   431  too many headers, or Host is too long
//   501  a Transfer-Encoding other than chunked, or a method of another protocol
//   505  neither HTTP/1.1 nor HTTP/1.0
std::optional<Refusal> parse_head(std::string_view text, Head& head);

// The Origin and the Host of a head that is refused, or has come in part: a page of another origin may read the refusal
// only if its reply says so. Whatever else is there is left out.
Head head_of_refused(std::string_view text);

// Compares names as HTTP does, without regard to the case of A-Z.
bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace weir
