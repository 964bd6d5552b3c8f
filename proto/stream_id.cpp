#include "proto/stream_id.h"

#include <charconv>

namespace weir {
namespace {

std::optional<std::uint64_t> parse_number(std::string_view digits) {
  if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string format_stream_id(const StreamId& id) {
  return std::to_string(id.ms).append(1, '-').append(std::to_string(id.n));
}

std::optional<StreamId> parse_stream_id(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto ms = parse_number(text.substr(0, dash));
  const auto n = parse_number(text.substr(dash + 1));
  if (!ms || !n) return std::nullopt;
  return StreamId{*ms, *n};
}

}  // namespace weir
