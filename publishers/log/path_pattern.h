// The paths that a pattern of the shell stands for.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace weir {

// *, ? and [ in any part of the path, as in a shell: none of them stands for a / or for a dot at the start of a
// name. A name that holds such a character stands for itself as well, and \ takes its meaning from it.
class PathPattern {
 public:
  static constexpr std::size_t kMatchesMax = 65'536;

  // What an expansion tells.
  struct Visitor {
    // Called before a directory is read: what comes to it later may match too. False leaves it out.
    std::function<bool(const std::string& directory)> enters;
    // The directory could be read or not; `error` is errno then, otherwise 0.
    std::function<void(const std::string& directory, int error)> reads;
  };

  explicit PathPattern(std::string text);

  const std::string& text() const { return text_; }
  // False for the path of one file.
  bool has_wildcard() const;
  // The paths that match now, sorted; at most kMatchesMax. Links count, wherever they lead.
  std::vector<std::string> expand(const Visitor& visitor) const;

 private:
  void expand(const std::string& before, std::size_t part, const Visitor& visitor,
              std::vector<std::string>& paths) const;

  const std::string text_;
  std::vector<std::string> parts_;  // Between the slashes.
};

}  // namespace weir
