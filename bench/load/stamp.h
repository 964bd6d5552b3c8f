// What every message of a measurement carries, so that whoever receives it knows which one it is and when it
// was due:
//   {"msg":"@load 0000000042 0000001234567890123 xxxx…"}
// The digits have a fixed width, so that all messages of a run have the same size.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::bench {

struct Stamp {
  std::uint64_t sequence = 0;  // Of the run: 0, 1, 2, …; message n goes to channel n modulo the channels.
  std::int64_t due_ns = 0;     // When it was to be published: nanoseconds of the monotonic clock.
};

inline constexpr std::string_view kStampMarker = "@load ";
inline constexpr std::size_t kStampBytes = kStampMarker.size() + 10 + 1 + 19;
inline constexpr std::size_t kPayloadBytesMin = kStampBytes + 11;

// Nanoseconds of the monotonic clock, the same in all processes of this machine.
std::int64_t now_ns();

// Requires bytes >= kPayloadBytesMin.
std::string make_payload(std::size_t bytes, Stamp stamp);

// Finds the stamps in a body that comes in pieces, cut anywhere.
class StampScanner {
 public:
  // Calls on_stamp(const Stamp&) for each stamp that ends in `piece`.
  template <typename OnStamp>
  void scan(std::string_view piece, OnStamp&& on_stamp) {
    if (!begun_.empty()) finish_begun(piece, on_stamp);
    while (!piece.empty()) {
      const std::size_t at = piece.find(kStampMarker.front());
      if (at == std::string_view::npos) return;
      piece.remove_prefix(at);
      if (piece.size() < kStampBytes) {
        begun_ = piece;
        return;
      }
      Stamp stamp;
      const bool is_stamp = parse(piece.substr(0, kStampBytes), stamp);
      if (is_stamp) on_stamp(stamp);
      piece.remove_prefix(is_stamp ? kStampBytes : 1);
    }
  }

 private:
  static bool parse(std::string_view text, Stamp& stamp);

  // What began at the end of the last piece; takes from `piece` what belongs to it.
  template <typename OnStamp>
  void finish_begun(std::string_view& piece, OnStamp&& on_stamp) {
    while (!begun_.empty()) {
      const std::size_t taken = std::min(kStampBytes - begun_.size(), piece.size());
      begun_ += piece.substr(0, taken);
      piece.remove_prefix(taken);
      if (begun_.size() < kStampBytes) return;
      Stamp stamp;
      const bool is_stamp = parse(begun_, stamp);
      if (is_stamp) on_stamp(stamp);
      const std::size_t next = is_stamp ? std::string::npos : begun_.find(kStampMarker.front(), 1);
      begun_.erase(0, next);
    }
  }

  std::string begun_;
};

}  // namespace weir::bench
