// Decodes the chunked transfer coding of a request body (RFC 9112, 7.1) as the bytes arrive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

// A decoder of one body. It accepts CRLF alone as a separator, and discards extensions and
// trailers, up to a limit.
//
// Threads: one at a time.
// Limits:  a size line and all trailers together are bounded; the caller bounds the body.
class ChunkDecoder {
 public:
  enum class State {
    kOpen,
    kDone,
    kRefused,  // See error().
    kTooLong,  // A chunk's size makes the body longer than its limit.
  };

  // Decodes the front of `input` onto `body` and returns the number of bytes it took from `input`. It leaves
  // the bytes after the end of the body. It stops at a chunk that would make `body` longer than
  // `body_bytes_max`, before any of its data. Requires state() kOpen.
  std::size_t feed(std::string_view input, std::string& body, std::size_t body_bytes_max);
  State state() const { return state_; }
  // Why the body was refused, in one line. Lives for ever; empty unless state() is kRefused.
  const char* error() const { return error_; }

 private:
  enum class Part : std::uint8_t { kSizeLine, kData, kDataEnd, kTrailers };
  std::size_t take_line(std::string_view input, std::uint64_t room);
  void on_line(std::uint64_t room);
  void refuse(const char* why);

  State state_ = State::kOpen;
  Part part_ = Part::kSizeLine;
  const char* error_ = "";
  std::uint64_t left_ = 0;  // Bytes of this chunk still to come.
  std::size_t trailer_bytes_ = 0;
  std::string line_;
};

}  // namespace weir
