// The response of a stream as it arrives, taken apart as far as a measurement needs: the status, and the body
// without its chunks (RFC 9112, 7.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::bench {

class ResponseReader {
 public:
  // Calls on_body(std::string_view) for each piece of the body in `bytes`. False if this is no HTTP response,
  // or none of status 200.
  template <typename OnBody>
  bool read(std::string_view bytes, OnBody&& on_body) {
    while (!bytes.empty()) {
      switch (state_) {
        case State::kHead:
          if (!read_head(bytes)) return false;
          break;
        case State::kSize:
          if (!read_size(bytes)) return false;
          break;
        case State::kData:
        case State::kDataWithoutChunks: {
          const std::string_view piece = bytes.substr(0, left_);
          on_body(piece);
          bytes.remove_prefix(piece.size());
          if (state_ == State::kDataWithoutChunks) break;
          left_ -= piece.size();
          if (left_ == 0) state_ = State::kSize, line_is_empty_ = true;
          break;
        }
        case State::kEnd:
          return true;
      }
    }
    return true;
  }

  bool has_head() const { return state_ != State::kHead; }
  bool has_ended() const { return state_ == State::kEnd; }
  // What has arrived of the head; the whole response if it is none of status 200.
  const std::string& head() const { return head_; }

 private:
  enum class State : std::uint8_t { kHead, kSize, kData, kDataWithoutChunks, kEnd };

  bool read_head(std::string_view& bytes);
  bool read_size(std::string_view& bytes);

  std::string head_;
  std::size_t left_ = 0;  // Bytes of this chunk, or its size as far as it was read.
  State state_ = State::kHead;
  bool line_is_empty_ = false;  // Of a size: so far only the CRLF of the chunk before it.
  bool in_extension_ = false;
};

}  // namespace weir::bench
