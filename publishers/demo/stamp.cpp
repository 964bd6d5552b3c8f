#include "publishers/demo/stamp.h"

#include <chrono>

#include "proto/json_scanner.h"

namespace weir {
namespace {

struct Keys {
  bool is_empty = false;
  bool has_time = false;
  bool has_type = false;
  bool are_of_an_envelope = true;
  std::string_view data;  // The value of "data", as it was written.
};

// nullopt if `text` is not an object.
std::optional<Keys> read_keys(std::string_view text) {
  JsonScanner scanner(text);
  Keys keys;
  if (!scanner.take('{')) return std::nullopt;
  if (scanner.take('}')) {
    if (!scanner.is_at_end()) return std::nullopt;
    keys.is_empty = true;
    return keys;
  }
  std::string key;
  do {
    if (!scanner.next_text(key) || !scanner.take(':')) return std::nullopt;
    const auto value = scanner.next_value();
    if (value.empty()) return std::nullopt;
    if (key == "data") keys.data = value;
    keys.has_time |= key == "time";
    keys.has_type |= key == "type";
    keys.are_of_an_envelope &= key == "data" || key == "id" || key == "type" || key == "retry";
  } while (scanner.take(','));
  if (!scanner.take('}') || !scanner.is_at_end()) return std::nullopt;
  return keys;
}

std::optional<StampPlace> place_in(std::string_view object, const Keys& keys) {
  if (keys.has_time) return std::nullopt;
  return StampPlace{.position = object.rfind('}'), .is_first = keys.is_empty};
}

}  // namespace

std::optional<StampPlace> stamp_place(std::string_view payload) {
  const auto keys = read_keys(payload);
  if (!keys) return std::nullopt;
  if (keys->is_empty || !keys->are_of_an_envelope) return place_in(payload, *keys);
  if (keys->data.empty()) {
    // {"type":"weir:end"} ends the channel as it is.
    return keys->has_type ? std::nullopt : place_in(payload, *keys);
  }
  const auto data_keys = read_keys(keys->data);
  if (!data_keys) return std::nullopt;
  auto place = place_in(keys->data, *data_keys);
  if (place) place->position += static_cast<std::size_t>(keys->data.data() - payload.data());
  return place;
}

std::string stamped(std::string_view payload, const StampPlace& place, std::uint64_t time_ms) {
  std::string text(payload.substr(0, place.position));
  text += place.is_first ? R"("time":)" : R"(,"time":)";
  text += std::to_string(time_ms);
  text += payload.substr(place.position);
  return text;
}

std::uint64_t now_ms() {
  using std::chrono::milliseconds;
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(since_1970).count());
}

}  // namespace weir
