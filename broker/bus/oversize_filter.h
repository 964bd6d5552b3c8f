// Stands between a socket and the RESP parser, and lets no bulk string through that is larger than a limit:
// its bytes are thrown away as they stream by, and the parser sees a nil in its place, which no message is
// otherwise. hiredis alone would collect the whole of it first, up to 512 MB. An array of more than
// kElementsMax elements is no answer to anything that weir asks: hiredis would make room for all that the
// header announces, so it sees a byte in the header's place that ends the connection.
//
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

class OversizeFilter {
 public:
  static constexpr std::size_t kElementsMax = 1 << 16;

  explicit OversizeFilter(std::size_t bulk_bytes_max) : bulk_bytes_max_(bulk_bytes_max) {}

  // Appends to `passed` what the parser is to see of the next `bytes` of the stream, in order. The views
  // point into `bytes` and into this filter: they are valid until the next call. A header that is cut at
  // the end of `bytes` is kept back until the rest of it comes. What is not RESP passes as it is: the parser
  // will say so.
  void filter(std::string_view bytes, std::vector<std::string_view>& passed);

 private:
  enum class State {
    kItem,     // At the first byte of an item.
    kLine,     // Inside of a line: a status, an error, an integer.
    kHeader,   // Inside of "$<length>\r\n" or "*<elements>\r\n".
    kBulk,     // Inside of a bulk string that passes, its "\r\n" included.
    kDiscard,  // The same for one that doesn't.
    kRefused,  // Behind the header of an array that is too large.
    kBroken,   // Not RESP.
  };

  // What follows a whole header.
  State state_after(std::string_view header);

  std::size_t bulk_bytes_max_;
  State state_ = State::kItem;
  bool is_after_cr_ = false;  // Of kLine: its last byte so far was a CR.
  std::size_t left_ = 0;      // Of kBulk and kDiscard: bytes up to the next item.
  std::string held_;          // The beginning of a header that was cut.
  std::string released_;      // What was held_ until this call.
};

}  // namespace weir
