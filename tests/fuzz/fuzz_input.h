// Takes apart the bytes that libFuzzer made. One input, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace weir {

// A target makes its choices first. The rest is text as it would arrive, so that seeds and dictionaries are
// readable. Views stay valid for as long as libFuzzer's bytes do.
class FuzzInput {
 public:
  FuzzInput(const std::uint8_t* data, std::size_t size) : left_(reinterpret_cast<const char*>(data), size) {}

  bool is_empty() const { return left_.empty(); }
  // Takes a byte and makes it a number below `count`. Returns 0 if nothing is left.
  std::size_t choice(std::size_t count) {
    if (left_.empty()) return 0;
    const auto byte = static_cast<unsigned char>(left_.front());
    left_.remove_prefix(1);
    return byte % count;
  }
  bool flip() { return choice(2) == 1; }
  // Takes the text up to the next `separator`, and drops the separator.
  std::string_view until(char separator) {
    const std::size_t end = left_.find(separator);
    const std::string_view taken = left_.substr(0, end);
    left_.remove_prefix(end == std::string_view::npos ? left_.size() : end + 1);
    return taken;
  }
  std::string_view rest() { return std::exchange(left_, {}); }

 private:
  std::string_view left_;
};

}  // namespace weir
