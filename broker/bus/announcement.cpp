#include "broker/bus/announcement.h"

#include <charconv>

namespace weir {

std::optional<StreamEntry> parse_announcement(std::string_view text, std::size_t bytes_max) {
  const std::size_t id_end = text.find(' ');
  if (id_end == std::string_view::npos) return std::nullopt;
  const auto id = parse_stream_id(text.substr(0, id_end));
  if (!id) return std::nullopt;
  text.remove_prefix(id_end + 1);
  StreamEntry entry{.id = *id, .payload = {}};
  const std::size_t time_end = text.find(' ');
  if (time_end == std::string_view::npos || text.front() == '0') return std::nullopt;
  const auto time = std::from_chars(text.data(), text.data() + time_end, entry.time);
  if (time.ec != std::errc() || time.ptr != text.data() + time_end) return std::nullopt;
  text.remove_prefix(time_end + 1);
  entry.is_too_large = text.size() > bytes_max;
  if (!entry.is_too_large) entry.payload = text;
  return entry;
}

}  // namespace weir
