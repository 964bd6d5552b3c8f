#include "publishers/log/channel_template.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "proto/channel_name.h"
#include "publishers/program/sha256.h"

namespace weir {
namespace {

constexpr std::size_t kNameBytesMax = 128;
constexpr std::size_t kDigestDigits = 16;
constexpr std::string_view kExtension = ".log";

std::string_view base_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string_view name_of(std::string_view path) {
  const std::string_view base = base_of(path);
  const bool has_extension = base.size() > kExtension.size() && base.ends_with(kExtension);
  return has_extension ? base.substr(0, base.size() - kExtension.size()) : base;
}

std::string_view folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view(".") : path.substr(0, slash);
}

bool is_plain(char c) { return is_channel_name(std::string_view(&c, 1)) || c == '.'; }

std::string replaced(std::string_view text, std::string_view path) {
  std::string result;
  while (!text.empty()) {
    const auto take = [&](std::string_view placeholder, std::string_view value) {
      if (!text.starts_with(placeholder)) return false;
      std::replace_copy_if(
          value.begin(), value.end(), std::back_inserter(result), [](char c) { return !is_plain(c); }, '_');
      text.remove_prefix(placeholder.size());
      return true;
    };
    if (take("{name}", name_of(path)) || take("{dir}", folder_of(path)) || take("{path}", path)) continue;
    result += text.front();
    text.remove_prefix(1);
  }
  return result;
}

std::string digest_of(std::string_view text) {
  Sha256 sum;
  sum.add(text);
  return sum.finish().substr(0, kDigestDigits);
}

}  // namespace

std::string channel_for(std::string_view text, std::string_view path) {
  std::string name = replaced(text, path);
  if (name.size() > kNameBytesMax) {
    name.resize(kNameBytesMax - kDigestDigits - 1);
    name += "-" + digest_of(path);
  }
  return name;
}

bool is_channel_template(std::string_view text) {
  return has_channel_for_each_file(text) || text.find("{dir}") != std::string_view::npos;
}

bool has_channel_for_each_file(std::string_view text) {
  return text.find("{name}") != std::string_view::npos || text.find("{path}") != std::string_view::npos;
}

std::string check_channel_template(const std::string& text) {
  // What stands around the placeholders must be fit for a name by itself.
  if (is_channel_name(replaced(text, "x/x"))) return "";
  return std::string(kChannelNameRule) + "; {name}, {dir} and {path} stand for those of the file";
}

}  // namespace weir
