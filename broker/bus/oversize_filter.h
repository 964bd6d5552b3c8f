// Stands between a socket and the RESP parser and bounds what the parser keeps in memory.
//
// Discards a bulk string larger than the limit as it streams by, and shows the parser a nil in its place; no
// message is a nil otherwise. hiredis alone would first collect the whole string, up to 512 MB. An array of
// more than kElementsMax elements is discarded in the same way: a stream may have an entry with so many
// fields. Refuses one of more than kDiscardedElementsMax, which nobody can have written into Redis: the
// parser sees a byte that ends the connection.
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
  static constexpr std::size_t kDiscardedElementsMax = 1 << 21;

  explicit OversizeFilter(std::size_t bulk_bytes_max) : bulk_bytes_max_(bulk_bytes_max) {}

  // Takes the next `bytes` of the stream and appends the pieces for the parser to `passed`, in order.
  // The views point into `bytes` and into this filter, and are valid until the next call. A header
  // cut by the end of `bytes` is held back until the rest arrives. Bytes that are not RESP pass
  // unchanged: the parser reports them.
  void filter(std::string_view bytes, std::vector<std::string_view>& passed);

 private:
  enum class State {
    kItem,     // At the first byte of an item.
    kLine,     // In a line: a status, an error, an integer.
    kHeader,   // In "$<length>\r\n" or "*<elements>\r\n".
    kBulk,     // In a bulk string that passes, its "\r\n" included.
    kDiscard,  // In a bulk string that is discarded, its "\r\n" included.
    kRefused,  // After the header of an array that is refused.
    kBroken,   // Not RESP.
  };

  // The state after a whole header.
  State state_after(std::string_view header);
  State state_after_array(std::size_t elements);
  // What the parser sees before the header, or in its place.
  std::string_view instead_of_header(bool was_skipping) const;
  // An item has ended. An array's header is one, too.
  void end_item();

  std::size_t bulk_bytes_max_;
  State state_ = State::kItem;
  bool is_after_cr_ = false;  // In kLine: the last byte so far was a CR.
  std::size_t left_ = 0;      // In kBulk and kDiscard: bytes up to the next item.
  std::size_t to_skip_ = 0;   // Items left of a discarded array, with the arrays in it.
  std::string held_;          // The beginning of a header that is not complete yet.
  std::string released_;      // A completed header that `passed` points into.
};

}  // namespace weir
