// The bytes that libFuzzer made, taken apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace weir {

// Choices first, then text: what is left once the choices are made is text as it would arrive, so that seeds
// and dictionaries are readable.
class FuzzInput {
 public:
  FuzzInput(const std::uint8_t* data, std::size_t size) : left_(reinterpret_cast<const char*>(data), size) {}

  bool is_empty() const { return left_.empty(); }
  // A number below `count`; 0 where nothing is left.
  std::size_t choice(std::size_t count) {
    if (left_.empty()) return 0;
    const auto byte = static_cast<unsigned char>(left_.front());
    left_.remove_prefix(1);
    return byte % count;
  }
  bool flip() { return choice(2) == 1; }
  // Up to the next `separator`, which is taken as well.
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
