// Stands between a socket and the RESP parser and bounds what the parser keeps in memory.
//
// A bulk string larger than the limit is thrown away as it streams by. The parser sees a nil in its place; no
// message is one otherwise. hiredis alone would first collect the whole string, up to 512 MB. An array of
// more than kElementsMax elements answers nothing that weir asks. hiredis would make room for all the
// elements that its header announces, so the parser sees a byte that ends the connection instead.
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

  // Takes the next `bytes` of the stream and appends what the parser is to see of them, in order. The views
  // point into `bytes` and into this filter, and are valid until the next call. A header that `bytes` cuts is
  // kept back until its rest comes. Bytes that are not RESP pass unchanged: the parser reports them.
  void filter(std::string_view bytes, std::vector<std::string_view>& passed);

 private:
  enum class State {
    kItem,     // At the first byte of an item.
    kLine,     // Inside of a line: a status, an error, an integer.
    kHeader,   // Inside of "$<length>\r\n" or "*<elements>\r\n".
    kBulk,     // Inside of a bulk string that passes, its "\r\n" included.
    kDiscard,  // Inside of a bulk string that is thrown away, its "\r\n" included.
    kRefused,  // Behind the header of an array that is too large.
    kBroken,   // Not RESP.
  };

  // The state behind a whole header.
  State state_after(std::string_view header);

  std::size_t bulk_bytes_max_;
  State state_ = State::kItem;
  bool is_after_cr_ = false;  // In kLine: the last byte so far was a CR.
  std::size_t left_ = 0;      // In kBulk and kDiscard: bytes up to the next item.
  std::string held_;          // The beginning of a header that was cut.
  std::string released_;      // A completed header that `passed` points into.
};

}  // namespace weir
