#include "vectors.h"

#include <fstream>
#include <stdexcept>

namespace weir {
namespace {

std::string decode_base64(const std::string& text) {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned bits = 0;
  int bits_held = 0;
  for (const char c : text.substr(0, text.find('='))) {
    bits = bits << 6 | static_cast<unsigned>(alphabet.find(c));
    bits_held += 6;
    if (bits_held < 8) continue;
    bits_held -= 8;
    bytes += static_cast<char>(bits >> bits_held & 0xff);
  }
  return bytes;
}

}  // namespace

nlohmann::json load_document(const std::string& file) {
  std::ifstream stream(WEIR_SOURCE_DIR "/proto/vectors/" + file);
  return nlohmann::json::parse(stream);
}

std::vector<nlohmann::json> load_vectors(const std::string& file, const std::string& list) {
  const auto document = load_document(file);
  std::vector<nlohmann::json> vectors = document.at(list);
  if (vectors.empty()) throw std::runtime_error(file + " has no " + list);
  return vectors;
}

std::string bytes_of(const nlohmann::json& vector, const std::string& key) {
  if (vector.contains(key)) return vector.at(key);
  return decode_base64(vector.at(key + "_base64"));
}

std::vector<EnvelopeMode> modes_of(const nlohmann::json& vector) {
  const std::string name = vector.value("envelope", "");
  if (name.empty()) return {EnvelopeMode::kAuto, EnvelopeMode::kAlways};
  if (name == "auto") return {EnvelopeMode::kAuto};
  if (name == "always") return {EnvelopeMode::kAlways};
  if (name == "never") return {EnvelopeMode::kNever};
  throw std::runtime_error("no envelope setting: " + name);
}

}  // namespace weir
