"""How each format is read at the right sample. survey/recordings.py is the way in; nothing else imports these."""
