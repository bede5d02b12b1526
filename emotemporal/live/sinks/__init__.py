"""Where judgements go: tables, annotations, pages, videos."""
