// Writes the files that are made from tables: write_docs SOURCE-DIRECTORY.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "broker/base/metrics.h"
#include "broker/config.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: write_docs SOURCE-DIRECTORY\n", stderr);
    return 2;
  }
  const std::string directory = argv[1];
  std::ofstream settings(directory + "/docs/settings.md");
  settings << weir::settings_markdown() << std::flush;
  std::ofstream metrics(directory + "/docs/metrics.md");
  metrics << weir::metrics_markdown() << std::flush;
  const std::string schema_path = directory + "/helm/weir/values.schema.json";
  std::ifstream before(schema_path);
  const auto schema = weir::chart_schema(std::string(std::istreambuf_iterator<char>(before), {}));
  before.close();
  if (!schema) {
    std::fprintf(stderr, "%s: %s\n", schema_path.c_str(), schema.error().message.c_str());
    return 1;
  }
  std::ofstream after(schema_path);
  after << *schema << std::flush;
  if (settings && metrics && after) return 0;
  std::fprintf(stderr, "%s: can't write the files\n", directory.c_str());
  return 1;
}
