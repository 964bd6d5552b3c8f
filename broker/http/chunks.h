// The chunked transfer coding of a request body (RFC 9112, 7.1), undone as the bytes arrive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

// Strict about what separates chunks (CRLF alone), lenient about what nobody needs: extensions and trailers
// are bounded and thrown away. One thread at a time; small, and free of buffers but for the size line.
class ChunkDecoder {
 public:
  enum class State { kOpen, kDone, kRefused };

  // Takes from `input`, appends to `body`; returns how many bytes were taken. What follows the end of the
  // body is left. Takes no more than would make `body` `body_bytes_max` + 1 bytes long: the caller then
  // refuses it.
  std::size_t feed(std::string_view input, std::string& body, std::size_t body_bytes_max);
  State state() const { return state_; }
  const char* error() const { return error_; }

 private:
  enum class Part : std::uint8_t { kSizeLine, kData, kDataEnd, kTrailers };
  std::size_t take_line(std::string_view input);
  void on_line();
  void refuse(const char* why);

  State state_ = State::kOpen;
  Part part_ = Part::kSizeLine;
  const char* error_ = "";
  std::uint64_t left_ = 0;  // Bytes of the present chunk.
  std::size_t trailer_bytes_ = 0;
  std::string line_;
};

}  // namespace weir
