"""Load shedding: while capacity is short, requests are refused, least critical first, before any store is asked."""
