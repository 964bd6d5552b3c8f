// The vector files of proto/vectors: what goes in, and which bytes must come out.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "proto/envelope.h"

namespace weir {

// One document of proto/vectors. Throws where it is missing.
nlohmann::json load_document(const std::string& file);

// A list of one document, a copy. Throws where it is missing or empty: a test over it would prove nothing.
std::vector<nlohmann::json> load_vectors(const std::string& file, const std::string& list = "vectors");

// Bytes under `key`, or in base64 under `key`_base64.
std::string bytes_of(const nlohmann::json& vector, const std::string& key);

// The settings for which a vector of messages.json holds.
std::vector<EnvelopeMode> modes_of(const nlohmann::json& vector);

}  // namespace weir
